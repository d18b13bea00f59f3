//! Traces, at a collector.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use engine::issuer::{DemoDecider, Judgement};
use engine::receipt::Decision;
use engine::{Host, InstanceKey, Start, Status};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use server::Traces;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tracing_subscriber::layer::SubscriberExt as _;

const GUEST: &str = "../../tests/guests/tenant-workflow.wasm";

/// A collector that keeps the bodies of what is posted to it.
struct Collector {
    port: u16,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (body, mut stream) = take(stream.unwrap());
                kept.lock().unwrap().push(body);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        Self { port, bodies }
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap());
        requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }
}

/// Reads one request, and returns its body and where its answer goes.
fn take(stream: TcpStream) -> (Vec<u8>, TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &lower;
    }
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (body, reader.into_inner())
}

fn open(data: &Path, traces: &Traces) -> Host {
    let observed = traces.clone();
    let builder = Host::builder(data).on_drive_span(Traces::place);
    builder.on_fact(move |fact| observed.fact(fact)).open().unwrap()
}

fn begin(host: &Host) -> InstanceKey {
    let workflow = host.load(std::fs::read(GUEST).unwrap()).unwrap();
    let params = r#"{"text":"a text of the guest"}"#;
    let start = Start::new("acme".parse().unwrap(), "agent:builder".parse().unwrap(), "deploy", params);
    host.start(&workflow, start).unwrap()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn an_instance_is_one_trace_whichever_host_drives_it_and_however_often_it_waits() {
    let (data, collector) = (TempDir::new().unwrap(), Collector::begin());
    let traces = Traces::begin(&format!("http://127.0.0.1:{}", collector.port)).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let host = open(data.path(), &traces);
    let (one, other) = (begin(&host), begin(&host));
    let Status::Waiting(wait) = runtime.block_on(host.drive(&one)).unwrap() else { panic!("no request") };
    runtime.block_on(host.drive(&other)).unwrap();
    let by = DemoDecider::new("operator".parse().unwrap());
    let judgement = Judgement { decision: Decision::Approved, by, reason: None };
    host.decide(wait.request().unwrap(), &judgement).unwrap();
    drop(host);
    let host = open(data.path(), &traces);
    runtime.block_on(host.drive(&one)).unwrap();
    traces.finish();
    let spans = collector.spans();
    let roots = named(&spans, "instance");
    assert_eq!(roots.len(), 2, "{spans:#?}");
    assert_ne!(roots[0].trace_id, roots[1].trace_id, "each instance has a trace of its own");
    let of_one =
        |span: &Span| span.attributes.iter().any(|pair| format!("{pair:?}").contains(one.instance.as_str()));
    let root = roots.into_iter().find(|span| of_one(span)).unwrap();
    assert!(root.parent_span_id.is_empty());
    let drives: Vec<_> = named(&spans, "drive").into_iter().filter(|span| of_one(span)).collect();
    assert_eq!(drives.len(), 2, "one before the decision, and one after it on another host");
    for drive in &drives {
        assert_eq!((&drive.trace_id, &drive.parent_span_id), (&root.trace_id, &root.span_id));
    }
    assert_ne!(drives[0].span_id, drives[1].span_id);
    let action = named(&spans, "action");
    assert_eq!(action.len(), 1);
    assert_eq!((&action[0].trace_id, &action[0].parent_span_id), (&drives[1].trace_id, &drives[1].span_id));
    let kinds = format!("{:?}", drives[0].events);
    assert!(kinds.contains("requested"), "{kinds}");
    assert!(!format!("{spans:?}").contains("a text of the guest"));
}

#[test]
fn a_collector_is_reached_by_tls_or_on_this_machine() {
    for url in [
        "collector.example:4318",
        "http://collector.example:4318",
        "https://user@collector.example",
        "ftp://localhost",
    ] {
        let error = Traces::begin(url).map(drop).unwrap_err().to_string();
        assert!(error.contains("is no URL of a collector"), "{url}: {error}");
    }
}
