//! A TCP relay before a node: it can be shut, and it hears what is asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What was said in, connection by connection.
type Said = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

/// The relay.
pub struct Door {
    port: u16,
    shut: Arc<AtomicBool>,
    said: Said,
}

impl Door {
    /// A relay on a free port of this machine before `host:port`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn before(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (shut, host, said) = (Arc::new(AtomicBool::new(false)), host.to_owned(), Said::default());
        let (door, heard) = (Arc::clone(&shut), Arc::clone(&said));
        std::thread::spawn(move || {
            for inside in listener.incoming().map_while(Result::ok) {
                if door.load(Ordering::SeqCst) {
                    drop(inside.shutdown(Shutdown::Both));
                } else if let Ok(outside) = TcpStream::connect(&host) {
                    let words = Arc::<Mutex<Vec<u8>>>::default();
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&words));
                    pass(&inside, &outside, &door, Some(words));
                    pass(&outside, &inside, &door, None);
                }
            }
        });
        Self { port, shut, said }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Shuts or opens it: what is under way is cut off.
    pub fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }

    /// The JSON-RPC methods that were called through it.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        let all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |words: &Arc<Mutex<Vec<u8>>>| {
            let bytes = words.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            text.split("\"method\":\"").skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect::<Vec<_>>()
        };
        all.iter().flat_map(of).collect()
    }
}

/// Passes bytes on until either end closes or the door is shut.
fn pass(from: &TcpStream, to: &TcpStream, door: &Arc<AtomicBool>, said: Option<Arc<Mutex<Vec<u8>>>>) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    drop(from.set_read_timeout(Some(Duration::from_millis(50))));
    let door = Arc::clone(door);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while !door.load(Ordering::SeqCst) {
            match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(n) => {
                    let part = bytes.get(..n).unwrap_or_default();
                    if let Some(said) = &said {
                        said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(part);
                    }
                    if to.write_all(part).is_err() {
                        break;
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    });
}
