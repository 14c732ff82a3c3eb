//! An eSIM profile and what can happen to it: pure.

use chrono::{DateTime, Utc};

use crate::domains::crm::inventory::policy::PROFILE_TRANSITION;
use crate::domains::crm::port::{Iccid, Msisdn, ProfileState, ProfileView};
use crate::platform::error::Violation;

/// What can be done with a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// An order takes it.
    Reserve,
    /// The order's line takes it.
    Activate,
    /// The order does not need it any more.
    Release,
    /// The line has ended.
    Recycle,
}

/// The next state; a state that a step does not fit stays a violation, and a new one does not compile until it is thought of.
pub(crate) fn after(state: ProfileState, step: Step) -> Result<ProfileState, Violation> {
    use ProfileState::{Activated, Available, Downloaded, Recycled, Reserved, Suspended};
    match (state, step) {
        (Available, Step::Reserve) => Ok(Reserved),
        // Whether the phone has fetched it already is the SM-DP+'s to know: both come alive with the line.
        (Reserved | Downloaded | Suspended, Step::Activate) => Ok(Activated),
        (Reserved, Step::Release) => Ok(Available),
        (Downloaded | Activated | Suspended, Step::Recycle) => Ok(Recycled),
        (Available | Reserved | Downloaded | Activated | Suspended | Recycled, _) => Err(PROFILE_TRANSITION
            .violated("This is not possible in the profile's state")
            .with("state", state)
            .with("trigger", step)),
    }
}

/// A profile of the pool. The holder fields follow from the state, so that they are changed by the steps only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) iccid: Iccid,
    pub(crate) imsi: String,
    pub(crate) smdp_server: String,
    pub(crate) matching_id: String,
    pub(crate) activation_code: String,
    pub(super) state: ProfileState,
    pub(super) assigned_msisdn: Option<Msisdn>,
    pub(super) assigned_to_subscription_id: Option<String>,
    pub(super) reserved_for: Option<String>,
    pub(super) reserved_at: Option<DateTime<Utc>>,
    pub(super) reserved_until: Option<DateTime<Utc>>,
    pub(super) downloaded_at: Option<DateTime<Utc>>,
    pub(super) activated_at: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

impl Profile {
    pub(crate) fn last4(&self) -> String {
        last4(&self.iccid)
    }

    pub(crate) const fn state(&self) -> ProfileState {
        self.state
    }

    pub(crate) fn reserved_for(&self) -> Option<&str> {
        self.reserved_for.as_deref()
    }

    /// Whether its reservation has run out.
    pub(crate) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.reserved_until.is_some_and(|until| until <= now)
    }

    pub(crate) const fn assigned_msisdn(&self) -> Option<&Msisdn> {
        self.assigned_msisdn.as_ref()
    }

    pub(crate) fn reserve(
        &mut self,
        order_id: &str,
        msisdn: &Msisdn,
        at: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), Violation> {
        self.take(Step::Reserve)?;
        self.assigned_msisdn = Some(msisdn.clone());
        self.reserved_for = Some(order_id.to_owned());
        self.reserved_at = Some(at);
        self.reserved_until = Some(until);
        Ok(())
    }

    pub(crate) fn extend(&mut self, until: DateTime<Utc>) {
        self.reserved_until = self.reserved_until.map(|former| former.max(until));
    }

    pub(crate) fn activate(&mut self, subscription_id: &str, at: DateTime<Utc>) -> Result<(), Violation> {
        self.take(Step::Activate)?;
        self.assigned_to_subscription_id = Some(subscription_id.to_owned());
        self.activated_at = Some(at);
        Ok(())
    }

    pub(crate) fn release(&mut self) -> Result<(), Violation> {
        self.take(Step::Release)?;
        self.assigned_msisdn = None;
        Ok(())
    }

    /// The line stays written on it, as history; the number is somebody else's soon.
    pub(crate) fn recycle(&mut self) -> Result<(), Violation> {
        self.take(Step::Recycle)?;
        self.assigned_msisdn = None;
        Ok(())
    }

    /// Moves on and lets go of the reservation.
    fn take(&mut self, step: Step) -> Result<(), Violation> {
        self.state = after(self.state, step)?;
        self.reserved_for = None;
        self.reserved_at = None;
        self.reserved_until = None;
        Ok(())
    }
}

/// What of an ICCID may be seen: its last four digits.
pub(crate) fn last4(iccid: &Iccid) -> String {
    let text = iccid.as_str();
    text.get(text.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}

/// `…0042`
pub(crate) fn masked(iccid: &Iccid) -> String {
    format!("…{}", last4(iccid))
}

impl From<Profile> for ProfileView {
    fn from(profile: Profile) -> Self {
        Self {
            iccid: masked(&profile.iccid),
            iccid_last4: profile.last4(),
            profile_state: profile.state,
            smdp_server: profile.smdp_server,
            assigned_msisdn: profile.assigned_msisdn,
            assigned_to_subscription_id: profile.assigned_to_subscription_id,
            reserved_for: profile.reserved_for,
            reserved_until: profile.reserved_until,
            downloaded_at: profile.downloaded_at,
            activated_at: profile.activated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEPS: [Step; 4] = [Step::Reserve, Step::Activate, Step::Release, Step::Recycle];

    fn fresh() -> Profile {
        Profile {
            iccid: "8910101000000000042".parse().unwrap(),
            imsi: "525010000000042".into(),
            smdp_server: "smdp.example.test".into(),
            matching_id: "0123456789ABCDEF".into(),
            activation_code: "LPA:1$smdp.example.test$0123456789ABCDEF".into(),
            state: ProfileState::Available,
            assigned_msisdn: None,
            assigned_to_subscription_id: None,
            reserved_for: None,
            reserved_at: None,
            reserved_until: None,
            downloaded_at: None,
            activated_at: None,
            version: 1,
        }
    }

    fn apply(profile: &mut Profile, step: Step) -> Result<(), Violation> {
        let at = DateTime::UNIX_EPOCH;
        match step {
            Step::Reserve => profile.reserve("ORD-0001", &"90000000".parse().unwrap(), at, at),
            Step::Activate => profile.activate("SUB-0001", at),
            Step::Release => profile.release(),
            Step::Recycle => profile.recycle(),
        }
    }

    #[test]
    fn every_pair_of_state_and_step_is_defined() {
        use ProfileState::{Activated, Available, Downloaded, Recycled, Reserved, Suspended};
        let legal = [
            (Available, Step::Reserve, Reserved),
            (Reserved, Step::Activate, Activated),
            (Downloaded, Step::Activate, Activated),
            (Suspended, Step::Activate, Activated),
            (Reserved, Step::Release, Available),
            (Downloaded, Step::Recycle, Recycled),
            (Activated, Step::Recycle, Recycled),
            (Suspended, Step::Recycle, Recycled),
        ];
        for state in ProfileState::ALL {
            for step in STEPS {
                let expected = legal.iter().find(|(from, by, _)| (*from, *by) == (state, step)).map(|(.., to)| *to);
                let actual = after(state, step);
                assert_eq!(actual.clone().ok(), expected, "{state:?} {step:?}");
                assert!(expected.is_some() || actual.unwrap_err().rule == PROFILE_TRANSITION);
            }
        }
    }

    proptest! {
        #[test]
        fn holders_follow_from_the_state_and_recycled_is_the_end(steps in prop::collection::vec(0_usize..4, 0..30)) {
            let mut profile = fresh();
            for step in steps {
                let before = profile.clone();
                if apply(&mut profile, STEPS[step]).is_err() {
                    prop_assert_eq!(&profile, &before, "a refused step changes nothing");
                }
                prop_assert_eq!(profile.reserved_for.is_some(), profile.state == ProfileState::Reserved);
                let has_number = matches!(profile.state, ProfileState::Reserved | ProfileState::Activated);
                prop_assert_eq!(profile.assigned_msisdn.is_some(), has_number);
                prop_assert!(before.state != ProfileState::Recycled || profile.state == ProfileState::Recycled);
            }
        }
    }

    #[test]
    fn four_digits_show_and_no_more() {
        let view = ProfileView::from(fresh());
        assert_eq!((view.iccid.as_str(), view.iccid_last4.as_str()), ("…0042", "0042"));
        assert!(!serde_json::to_string(&view).unwrap().contains("8910101"));
    }
}
