//! scr-axum-cranker-router as the interop suite starts it: two plain ports on 127.0.0.1, everything else as the crate
//! has it. Prints `{"publicPort":…,"registrationPort":…}` when both listen; stops on SIGTERM and when stdin ends.

use std::collections::HashMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::serve::ListenerExt;
use axum::Router;
use scr_axum_cranker_router::CrankerRouterBuilder;
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;

/// How long running requests may take after the router was told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    simple_logger::SimpleLogger::new().with_level(log::LevelFilter::Warn).init().expect("the logger is set once");
    let options: HashMap<String, i64> = std::env::args()
        .skip(1)
        .map(|arg| {
            let (name, value) = arg.split_once('=').expect("arguments are name=value");
            (name.to_owned(), value.parse().expect("values are whole numbers"))
        })
        .collect();

    let mut builder = CrankerRouterBuilder::new();
    if let Some(&ms) = options.get("connectorWait") {
        builder = builder.with_connector_max_wait_time_millis(ms);
    }
    if let Some(&ms) = options.get("idleTimeout") {
        builder = builder.with_idle_read_timeout_ms(ms);
    }
    if let Some(&ms) = options.get("pingInterval") {
        builder = builder.with_ping_sent_after_no_write_for_ms(ms);
    }
    let cranker = builder.build();

    let public = listen(&options, "publicPort").await;
    let registration = listen(&options, "registrationPort").await;
    println!("{{\"publicPort\":{},\"registrationPort\":{}}}", port(&public), port(&registration));

    let (stop, stopping) = watch::channel(false);
    let serving = async {
        tokio::join!(
            serve(public, cranker.visit_portal_axum_router(), stopping.clone()),
            serve(registration, cranker.registration_axum_router(), stopping.clone()),
        )
    };
    tokio::pin!(serving);
    tokio::select! {
        _ = &mut serving => return,
        _ = told_to_stop() => {}
    }
    let _ = stop.send(true);
    cranker.stop();
    let _ = tokio::time::timeout(STOP_LIMIT, serving).await;
    // Tasks of sockets that did not end must not keep the process.
    std::process::exit(0);
}

async fn listen(options: &HashMap<String, i64>, name: &str) -> TcpListener {
    let port = u16::try_from(options.get(name).copied().unwrap_or(0)).expect("a port");
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("the port is free")
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("it is bound").port()
}

async fn serve(
    listener: TcpListener,
    app: IntoMakeServiceWithConnectInfo<Router, std::net::SocketAddr>,
    mut stopping: watch::Receiver<bool>,
) {
    // The crate leaves Nagle's algorithm on, which costs 40 ms per response.
    let listener = listener.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    let _ = axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        })
        .await;
}

async fn told_to_stop() {
    let (ended, wait) = tokio::sync::oneshot::channel();
    // A thread of its own: tokio's stdin would keep the runtime from ending.
    std::thread::spawn(move || {
        let mut bytes = [0u8; 64];
        while matches!(std::io::stdin().read(&mut bytes), Ok(n) if n > 0) {}
        let _ = ended.send(());
    });
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be listened to");
    tokio::select! {
        _ = wait => {}
        _ = terminated.recv() => {}
    }
}
