//! One eSIM profile of the pool: its states, its table, its reads.

pub(super) mod model;
pub(super) mod store;

use crate::domains::crm::Service;
use crate::domains::crm::input::page;
use crate::domains::crm::port::{Iccid, ListProfiles, ProfileView};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};

impl Service {
    pub(crate) async fn profile_list(&self, cx: &Context, filter: ListProfiles) -> Result<Vec<ProfileView>> {
        page(filter.limit, filter.offset)?;
        let profiles = store::list(&self.platform.db, cx, &filter).await?;
        Ok(profiles.into_iter().map(ProfileView::from).collect())
    }

    pub(crate) async fn profile_view(&self, cx: &Context, iccid: &Iccid) -> Result<ProfileView> {
        let profile = store::profile(&self.platform.db, cx, iccid).await?;
        profile.map(ProfileView::from).ok_or_else(|| Error::not_found("esim", model::masked(iccid)))
    }
}
