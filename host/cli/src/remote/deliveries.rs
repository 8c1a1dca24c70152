use super::{ANSWER_TIME, Answer, RemoteService, encoded};
use crate::commands::DeliveryView;
use lockstep_ports::Delivery;
use serde::Deserialize;
use serde_json::json;

impl RemoteService {
    /// Deliveries below a number, the newest first.
    pub(crate) async fn deliveries(&self, before: Option<u64>, limit: usize) -> Answer<Vec<Delivery>> {
        #[derive(Deserialize)]
        struct Page {
            deliveries: Vec<Delivery>,
        }
        let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
        let page: Page = self.get(&format!("/v1/deliveries?limit={limit}{before}")).await?;
        Ok(page.deliveries)
    }

    /// A delivery with its payload.
    pub(crate) async fn delivery(&self, id: &str) -> Answer<DeliveryView> {
        self.get(&format!("/v1/deliveries/{}", encoded(id))).await
    }

    /// Has a delivery taken up again.
    pub(crate) async fn replay_delivery(&self, id: &str) -> Answer<Delivery> {
        self.post(&format!("/v1/deliveries/{}/replay", encoded(id)), &json!({}), ANSWER_TIME).await
    }
}
