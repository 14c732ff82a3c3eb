//! Who makes an eSIM profile ready to be downloaded: in front of the network, takes the tasks `ESIM_PROFILE_PREPARE` out for a
//! provider of its own. All others go on to the network, and so do these where no provider is named.
//!
//! The providers that can be named are not spoken to yet: their interfaces come with a contract. A server starts with one, so
//! that everything around it can be tried, and each attempt fails and says what is missing.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domains::provisioning::port::{Network, NetworkError, NetworkTask, TaskType};
use crate::platform::config::EsimProvider;

/// See the module.
pub struct EsimProfiles {
    provider: EsimProvider,
    network: Arc<dyn Network>,
}

impl std::fmt::Debug for EsimProfiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EsimProfiles").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl EsimProfiles {
    /// `network` does everything but what `provider` does.
    pub fn new(provider: EsimProvider, network: Arc<dyn Network>) -> Self {
        Self { provider, network }
    }
}

#[async_trait]
impl Network for EsimProfiles {
    async fn execute(&self, task: &NetworkTask) -> Result<(), NetworkError> {
        let provider = self.provider.as_str();
        match (self.provider, task.task_type) {
            (EsimProvider::Onbglobal | EsimProvider::EsimAccess, TaskType::EsimProfilePrepare) if task.only_ask => {
                // It never got there, so nothing of it goes on.
                Err(NetworkError::Refused(format!("the eSIM provider {provider} was never told")))
            }
            (EsimProvider::Onbglobal | EsimProvider::EsimAccess, TaskType::EsimProfilePrepare) => {
                Err(NetworkError::Failed(format!("the eSIM provider {provider} needs NDA + credentials")))
            }
            _ => self.network.execute(task).await,
        }
    }
}
