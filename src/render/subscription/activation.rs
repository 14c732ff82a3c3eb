//! The eSIM of a line: what a phone needs to download its profile, as text and as a QR code.
//!
//! Who has the code can take over the line. It is drawn only from the answer of `subscription.get_esim_activation`.

use qrcode::{Color, EcLevel, QrCode};
use serde_json::Value;

use crate::render::card::Card;
use crate::render::styled::{Look, Styled};
use crate::render::words::{dim, number, plain};
use crate::render::{Style, text};

/// Modules of quiet around the code (ISO/IEC 18004, section 9.1). Readers that are content with fewer are not all of them.
const QUIET: usize = 4;

/// Digits that are shown of an identifier of the profile.
const SHOWN: usize = 4;

/// How the card is drawn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Activation {
    /// ICCID and IMSI whole.
    pub(crate) full: bool,
    /// The code for a terminal whose text is dark on light. With colour it is right on any, and this changes nothing.
    pub(crate) invert: bool,
}

/// The card.
pub(crate) fn card(activation: &Value, how: Activation, style: Style) -> String {
    let identifier = |name: &str| {
        let digits = text::field(activation, name);
        Styled::plain(if how.full { digits } else { masked(&digits) })
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
            let code = picture(&qr, how.invert, style);
            card.blank().text(dim("Scan with the camera of the phone:"), 0).blank().picture(code).blank()
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

/// Two rows of modules a line. With colour it is black on white on any terminal. Without, light modules are drawn, which is
/// right where text is light on dark, or with `invert` dark ones, which is right where text is dark on light.
///
/// The blocks of some fonts are lower than their cells. Light lines through the dark corners of the code hide it from
/// readers, dark lines through light modules do not: so blocks are light, and they are few.
fn picture(qr: &QrCode, invert: bool, style: Style) -> Vec<Styled> {
    let (width, colors) = (qr.width(), qr.to_colors());
    let dark = |x: usize, y: usize| {
        let inside = (QUIET..width + QUIET).contains(&x) && (QUIET..width + QUIET).contains(&y);
        inside && colors[(y - QUIET) * width + x - QUIET] == Color::Dark
    };
    let side = width + 2 * QUIET;
    let dark = |x: usize, y: usize| dark(x, y) != (invert && !style.colour);
    let cell = |x: usize, y: usize| match (dark(x, y), dark(x, y + 1)) {
        (true, true) => (Look::Ink, ' '),
        (true, false) => (Look::Ink, '▄'),
        (false, true) => (Look::Ink, '▀'),
        (false, false) if style.colour => (Look::Paper, ' '),
        (false, false) => (Look::Ink, '█'),
    };
    let line = |y: usize| {
        let cells: Vec<(Look, char)> = (0..side).map(|x| cell(x, y)).collect();
        let alike = cells.chunk_by(|one, next| one.0 == next.0);
        alike.fold(Styled::default(), |line, run| line.and(run[0].0, run.iter().map(|cell| cell.1).collect::<String>()))
    };
    (0..side).step_by(2).map(line).collect()
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
        assert_snapshot!("esim", at_each_width(|style| card(&activation(), Activation::default(), style)));
        let text =
            card(&activation(), Activation { full: true, invert: false }, Style { colour: false, width: Some(80) });
        assert!(text.contains("8910101000000004170") && text.contains("525010000004170"), "{text}");
    }

    #[test]
    fn a_code_without_its_scheme_gets_it_and_no_code_is_no_fault() {
        let mut view = activation();
        view["activationCode"] = json!("smdp.example.test$K7QX2");
        view["profileState"] = json!("recycled");
        let text = card(&view, Activation::default(), Style::default());
        assert!(text.contains(CODE) && text.contains("○ recycled"), "{text}");
        view["activationCode"] = Value::Null;
        view["imsi"] = Value::Null;
        assert!(card(&view, Activation::default(), Style::default()).contains("There is no activation code yet."));
    }

    #[test]
    fn a_camera_before_the_terminal_reads_the_code() {
        let long = format!("LPA:1$smdp-plus.operator.example.test${}", "0123456789ABCDEF".repeat(4));
        for code in [CODE, &long] {
            let mut view = activation();
            view["activationCode"] = json!(code);
            for (colour, dark) in [(true, true), (true, false), (false, true)] {
                for width in [None, Some(80)] {
                    let text = card(&view, Activation::default(), Style { colour, width });
                    let screen = Screen::showing(&text, dark, 0);
                    assert_eq!(screen.read(), [code], "colour {colour}, dark {dark}, width {width:?}\n{text}");
                }
            }
            // With colour, whoever asks for it gets what is right all the same.
            let inverted = Activation { full: false, invert: true };
            for (colour, dark) in [(false, false), (true, true), (true, false)] {
                for width in [None, Some(80)] {
                    let text = card(&view, inverted, Style { colour, width });
                    assert_eq!(Screen::showing(&text, dark, 0).read(), [code], "colour {colour}, dark {dark}\n{text}");
                }
            }
            // Without colour, a terminal whose text is dark shows the negative, unless somebody says that it is such a one.
            let mut screen = Screen::showing(&card(&view, Activation::default(), Style::default()), false, 0);
            screen.negate();
            assert_eq!(screen.read(), [code]);
        }
    }

    #[test]
    fn no_light_line_crosses_a_dark_module_and_all_around_is_quiet() {
        let qr = QrCode::with_error_correction_level(CODE, EcLevel::M).expect("it fits");
        let side = qr.width() + 2 * QUIET;
        for (colour, dark) in [(true, true), (true, false), (false, true)] {
            let lines = picture(&qr, false, Style { colour, width: None });
            let text: String = lines.iter().map(|line| line.paint(Style { colour, width: None }) + "\n").collect();
            let screen = Screen::showing(&text, dark, 1);
            for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
                let inside = [x, y].iter().all(|at| (QUIET..side - QUIET).contains(at));
                let wanted = inside && qr[(x - QUIET, y - QUIET)] == Color::Dark;
                let light = screen.module(x, y).filter(|light| *light).count();
                assert!(if wanted { light == 0 } else { light > Screen::CELL * Screen::CELL / 2 }, "module {x}, {y}");
            }
        }
    }

    /// What a terminal makes of text: dots, true where light comes from.
    struct Screen {
        rows: Vec<Vec<bool>>,
    }

    impl Screen {
        /// Dots of a cell from left to right; it is twice as high.
        const CELL: usize = 8;
        const MARGIN: usize = 2 * Self::CELL;

        /// `gap` is what the font leaves free of a cell, above and below.
        fn showing(text: &str, dark: bool, gap: usize) -> Self {
            let columns = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            let rows = text.lines().count() * 2 * Self::CELL + 2 * Self::MARGIN;
            let mut screen = Self { rows: vec![vec![!dark; columns * Self::CELL + 2 * Self::MARGIN]; rows] };
            for (row, line) in text.lines().enumerate() {
                let (mut column, mut rest, mut ink, mut ground) = (0, line, dark, !dark);
                while let Some(char) = rest.chars().next() {
                    if let Some((parameters, after)) = rest.strip_prefix("\u{1b}[").and_then(|on| on.split_once('m')) {
                        (ink, ground) = match parameters {
                            "30;107" => (false, true),
                            "97;40" => (true, false),
                            _ => (dark, !dark),
                        };
                        rest = after;
                        continue;
                    }
                    screen.draw((column, row), char, gap, (ink, ground));
                    column += 1;
                    rest = &rest[char.len_utf8()..];
                }
            }
            screen
        }

        fn draw(&mut self, (column, row): (usize, usize), char: char, gap: usize, (ink, ground): (bool, bool)) {
            let glyph = gap..2 * Self::CELL - gap;
            for (x, y) in (0..Self::CELL).flat_map(|x| (0..2 * Self::CELL).map(move |y| (x, y))) {
                let inked = glyph.contains(&y)
                    && match char {
                        ' ' => false,
                        '█' => true,
                        '▀' => y < Self::CELL,
                        '▄' => y >= Self::CELL,
                        // Some letter: what matters is that it is not empty.
                        _ => (3..5).contains(&x),
                    };
                let at = (Self::MARGIN + row * 2 * Self::CELL + y, Self::MARGIN + column * Self::CELL + x);
                self.rows[at.0][at.1] = if inked { ink } else { ground };
            }
        }

        /// The dots where a module of a code at the top left is.
        fn module(&self, x: usize, y: usize) -> impl Iterator<Item = bool> {
            let span = |at: usize| Self::MARGIN + at * Self::CELL..Self::MARGIN + (at + 1) * Self::CELL;
            self.rows[span(y)].iter().flat_map(move |row| row[span(x)].iter().copied())
        }

        fn negate(&mut self) {
            self.rows.iter_mut().flatten().for_each(|dot| *dot = !*dot);
        }

        /// The codes that a reader, which has nothing in common with who drew them, finds.
        fn read(&self) -> Vec<String> {
            let grey = |x: usize, y: usize| if self.rows[y][x] { 230 } else { 25 };
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.rows[0].len(), self.rows.len(), grey);
            image.detect_grids().iter().map(|grid| grid.decode().expect("it can be read").1).collect()
        }
    }

    #[test]
    fn a_profile_without_code_and_a_narrow_terminal_do_not_break_the_card() {
        let mut bare = activation();
        for name in ["activationCode", "imsi"] {
            bare[name] = Value::Null;
        }
        let text = card(&bare, Activation::default(), Style::default());
        assert!(text.contains("no activation code yet") && !text.contains("IMSI"), "{text}");
        let narrow = card(&activation(), Activation::default(), Style { colour: false, width: Some(32) });
        assert!(narrow.contains("needs a terminal"), "{narrow}");
        assert!(narrow.replace(['│', ' ', '\n'], "").contains(CODE), "{narrow}");
    }
}
