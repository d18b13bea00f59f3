use receipt::*;
use std::time::Instant;
fn main() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/receipt-spec/test-vectors");
    let a = Artifact::parse(
        &std::fs::read_to_string(format!("{dir}/v3/approve-human-deploy-gate-public-repo.json")).unwrap(),
    )
    .unwrap();
    let k = KeySet::parse(&std::fs::read_to_string(format!("{dir}/keys.json")).unwrap()).unwrap();
    let r = verify(&a, &k).unwrap();
    let t = |name: &str, f: &dyn Fn()| {
        let n = 2000;
        let s = Instant::now();
        for _ in 0..n {
            f()
        }
        println!("{name}: {:?}", s.elapsed() / n);
    };
    let payload = r.payload_json().to_owned();
    let pj = Json::parse(&payload).unwrap();
    let proj = r.projection().unwrap().canonical();
    println!("payload {} proj {}", payload.len(), proj.len());
    if std::env::args().count() > 1 {
        for _ in 0..40000 {
            std::hint::black_box(verify(&a, &k).unwrap());
        }
        return;
    }
    t("parse payload", &|| {
        std::hint::black_box(Json::parse(&payload).unwrap());
    });
    t("canon payload", &|| {
        std::hint::black_box(pj.canonical());
    });
    t("parse proj", &|| {
        std::hint::black_box(Json::parse(&proj).unwrap());
    });
    t("canon proj", &|| {
        std::hint::black_box(r.projection().unwrap().canonical());
    });
    t("digest", &|| {
        std::hint::black_box(Digest::of(payload.as_bytes()));
    });
    t("verify", &|| {
        std::hint::black_box(verify(&a, &k).unwrap());
    });
}
