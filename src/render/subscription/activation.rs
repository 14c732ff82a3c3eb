//! The eSIM of a line: what a phone needs to download its profile, as text and as a QR code.
//!
//! Who has the code can take over the line. It is drawn only from the answer of `subscription.get_esim_activation`.

use qrcode::{Color, EcLevel, QrCode};
use serde_json::Value;

use crate::render::card::Card;
use crate::render::styled::{Look, Styled};
use crate::render::words::{dim, number, plain};
use crate::render::{Style, text};

/// Modules of quiet around the code. The standard asks for four; phones read two (ISO/IEC 18004, section 9.1).
const QUIET: usize = 2;

/// Digits that are shown of an identifier of the profile.
const SHOWN: usize = 4;

/// The card; `full` shows ICCID and IMSI whole.
pub(crate) fn card(activation: &Value, full: bool, style: Style) -> String {
    let identifier = |name: &str| {
        let digits = text::field(activation, name);
        Styled::plain(if full { digits } else { masked(&digits) })
    };
    let code = prefixed(text::field(activation, "activationCode"));
    let card = Card::new(style, &["eSIM", &text::field(activation, "subscriptionId")], "").facts(vec![
        ("State", strip(&text::field(activation, "profileState"))),
        ("Number", Styled::plain(number(&text::field(activation, "msisdn")))),
        ("ICCID", identifier("iccid")),
        ("IMSI", identifier("imsi")),
        ("SM-DP+", plain(activation, "smdpServer")),
    ]);
    let card = match QrCode::with_error_correction_level(code.as_bytes(), EcLevel::M) {
        Ok(qr) if !code.is_empty() => {
            card.blank().text(dim("Scan with the camera of the phone:"), 0).blank().picture(picture(&qr, style)).blank()
        }
        _ => card.blank().text(Styled::of(Look::Waits, "There is no activation code yet."), 0),
    };
    let by_hand = if code.is_empty() { "" } else { "Or enter by hand:" };
    let warning = if code.is_empty() { "" } else { "Whoever has this code can take over the line." };
    card.text(dim(by_hand), 0).text(Styled::plain(code), 2).blank().text(Styled::of(Look::Waits, warning), 0).finish()
}

/// Where the profile stands: a full dot while a phone may have it, an empty one when none may.
fn strip(state: &str) -> Styled {
    match state {
        "suspended" | "released" | "recycled" => Styled::of(Look::Dim, format!("○ {state}")),
        state => Styled::state(state),
    }
}

/// The code as phones read it (SGP.22, section 4.1): some providers leave the scheme out.
fn prefixed(code: String) -> String {
    if code.is_empty() || code.starts_with("LPA:") { code } else { format!("LPA:1${code}") }
}

/// The last four digits behind as many dots as there are others.
fn masked(digits: &str) -> String {
    let count = digits.chars().count();
    let hidden = count.saturating_sub(SHOWN);
    "•".repeat(hidden).chars().chain(digits.chars().skip(hidden)).collect()
}

/// Two rows of modules a line. With colour it is black on white on any terminal; without, light modules are drawn, which is
/// right where text is light on dark.
fn picture(qr: &QrCode, style: Style) -> Vec<Styled> {
    let (width, colors) = (qr.width(), qr.to_colors());
    let dark = |x: usize, y: usize| {
        let inside = (QUIET..width + QUIET).contains(&x) && (QUIET..width + QUIET).contains(&y);
        inside && colors[(y - QUIET) * width + x - QUIET] == Color::Dark
    };
    let side = width + 2 * QUIET;
    let module = |x: usize, y: usize| {
        let (upper, lower) = (dark(x, y), dark(x, y + 1));
        match (upper == style.colour, lower == style.colour) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        }
    };
    (0..side).step_by(2).map(|y| Styled::of(Look::Paper, (0..side).map(|x| module(x, y)).collect::<String>())).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

    const CODE: &str = "LPA:1$smdp.example.test$K7QX2";

    fn activation() -> Value {
        json!({
            "subscriptionId": "SUB-0042", "profileState": "activated", "iccid": "8910101000000004170", "imsi": "525010000004170", "msisdn": "90000042",
            "activationCode": CODE, "smdpServer": "smdp.example.test", "matchingId": "K7QX2",
        })
    }

    #[test]
    fn the_code_is_drawn_and_identifiers_are_masked_unless_asked_for() {
        assert_snapshot!("esim", at_each_width(|style| card(&activation(), false, style)));
        let text = card(&activation(), true, Style { colour: false, width: Some(80) });
        assert!(text.contains("8910101000000004170") && text.contains("525010000004170"), "{text}");
    }

    #[test]
    fn a_code_without_its_scheme_gets_it_and_no_code_is_no_fault() {
        let mut view = activation();
        view["activationCode"] = json!("smdp.example.test$K7QX2");
        view["profileState"] = json!("recycled");
        let text = card(&view, false, Style::default());
        assert!(text.contains(CODE) && text.contains("○ recycled"), "{text}");
        view["activationCode"] = Value::Null;
        view["imsi"] = Value::Null;
        assert!(card(&view, false, Style::default()).contains("There is no activation code yet."));
    }

    #[test]
    fn the_picture_is_the_code_dark_on_light_with_colour_and_the_other_way_round_without() {
        let qr = QrCode::with_error_correction_level(CODE, EcLevel::M).expect("it fits");
        let side = qr.width() + 2 * QUIET;
        for colour in [true, false] {
            let plain = picture(&qr, Style { colour, width: None });
            let lines: Vec<Vec<char>> =
                plain.iter().map(|line| line.paint(Style::default()).chars().collect()).collect();
            let drawn = |x: usize, y: usize| match lines[y / 2][x] {
                '█' => true,
                '▀' => y.is_multiple_of(2),
                '▄' => !y.is_multiple_of(2),
                _ => false,
            };
            for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
                let inside = [x, y].iter().all(|at| (QUIET..side - QUIET).contains(at));
                let dark = inside && qr[(x - QUIET, y - QUIET)] == Color::Dark;
                assert_eq!(drawn(x, y), dark == colour, "module {x}, {y}");
            }
        }
    }

    #[test]
    fn a_profile_without_code_and_a_narrow_terminal_do_not_break_the_card() {
        let mut bare = activation();
        for name in ["activationCode", "imsi"] {
            bare[name] = Value::Null;
        }
        let text = card(&bare, false, Style::default());
        assert!(text.contains("no activation code yet") && !text.contains("IMSI"), "{text}");
        let narrow = card(&activation(), false, Style { colour: false, width: Some(32) });
        assert!(narrow.contains("needs a terminal"), "{narrow}");
        assert!(narrow.replace(['│', ' ', '\n'], "").contains(CODE), "{narrow}");
    }
}
