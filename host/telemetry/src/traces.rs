//! Traces, sent to a collector by OTLP over HTTP. They are collected and sent by threads of their own: a collector that is
//! slow or gone costs the spans that find no room any more, and nothing else.

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tracing::subscriber::NoSubscriber;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Spans that wait to be sent; further ones are dropped. Some megabytes.
const QUEUE_MAX: usize = 8192;

/// Spans sent at a time.
const BATCH_MAX: usize = 1024;

/// How often what there is is sent.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long the last spans may take when the host ends.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// Sends bytes to the collector and gives the status it answers with, or one line that says why there is none.
pub type Post =
    Arc<dyn Fn(Vec<u8>) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send>> + Send + Sync>;

/// Sends what is traced, until it is shut down.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends by `post` this share of all traces, 0 to 1.
    ///
    /// # Errors
    /// The threads cannot be had; one line.
    pub fn new(post: Post, share: f64, version: &str) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("traces cannot be sent: {error}"))?;
        // The address is the sender's; this one is never asked.
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender { runtime, post })
            .with_endpoint("http://127.0.0.1/v1/traces")
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(INTERVAL)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "lockstep"),
                KeyValue::new("service.version", version.to_owned()),
            ])
            .build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// What a subscriber needs to trace.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let spans = Targets::new()
            .with_target("lockstep::trace", Level::INFO)
            .with_target("lockstep_server::observe", Level::ERROR);
        let tracer = self.provider.tracer("lockstep");
        tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_filter(spans)
    }

    /// Sends what is left, if that takes no longer than two seconds.
    pub fn shut_down(&self) {
        // A collector that is gone is no fault of the host.
        self.provider.shutdown_with_timeout(FLUSH_TIME).unwrap_or_default();
    }
}

/// Speaks HTTP for the exporter, which has no runtime of its own.
struct Sender {
    runtime: tokio::runtime::Runtime,
    post: Post,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Called on the exporter's own thread, which may wait.
        // Sending is not traced, or it would never end.
        let post = || self.runtime.block_on((self.post)(request.into_body().to_vec()));
        let status = tracing::subscriber::with_default(NoSubscriber::default(), post)?;
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}
