//! A registry that tells the truth until it is asked to lie, in every way that was seen in real ones.
//! It is separate because no real registry can be made to fail on demand; what is not about faults has a real one.
//!
//! ```ignore
//! let registry = Lying::start();
//! registry.hold(&image);                                      // an honest image (support::images)
//! registry.lie("/blobs/", [Lie::Status(500, vec![])]);        // the next request of a blob fails, then truth again
//! registry.always("/blobs/", Lie::Truncate(1000));            // or each of them
//! registry.demand(Demand::basic("user", "secret"));           // who asks must log in
//! access.plain_http.push(registry.host());
//! assert_eq!(registry.asked("/blobs/").len(), 2);             // what came, with headers
//! ```

mod answer;
mod content;
mod login;

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use login::Demand;

/// One lie about one request.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// None: for sequences in which some requests are answered as they should be.
    Truth,
    /// The whole length is promised, so many bytes are sent, then the connection is closed.
    Truncate(usize),
    /// Another length is promised and sent: shorter (bytes are missing) or longer (zeros are added).
    Resize(usize),
    /// No length is promised (chunked), and these bytes follow the true ones.
    Excess(Vec<u8>),
    /// The first byte is another one.
    Corrupt,
    /// A status with these headers, and an error in the form of the specification that repeats the Authorization.
    Status(u16, Vec<(&'static str, String)>),
    /// Head and so many bytes are sent, then nothing until the client goes away.
    Stall(usize),
    /// Nothing at all is answered until the client goes away.
    Silence,
    /// One byte at a time, with this pause.
    Drip(Duration),
    /// 307 to this address.
    Redirect(String),
    /// The whole is sent, whatever range was asked for.
    IgnoreRange,
    /// Another range than the one asked for is sent.
    WrongRange,
    /// The connection is closed without an answer.
    HangUp,
    /// A header of the answer is another one, or added.
    Header(&'static str, String),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET`.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// What came with it.
    pub(crate) body: String,
}

impl Asked {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What lies apply to which requests: those whose target holds the text.
#[derive(Debug)]
struct Lies {
    part: String,
    next: VecDeque<Lie>,
    then: Lie,
}

#[derive(Debug, Default)]
struct State {
    host: String,
    content: content::Content,
    lies: Vec<Lies>,
    login: login::Login,
    asked: Vec<Asked>,
    open: Vec<TcpStream>,
    over: bool,
    far: Option<Duration>,
}

/// The registry; it ends with the value.
#[derive(Debug)]
pub(crate) struct Lying {
    state: Arc<Mutex<State>>,
    host: String,
    listener: Option<JoinHandle<()>>,
}

impl Lying {
    /// Starts one on loopback, without TLS, empty and honest.
    pub(crate) fn start() -> Self {
        Self::on("127.0.0.1")
    }

    /// Starts one on this address of loopback: another host than others.
    pub(crate) fn on(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State {
            host: host.clone(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let listener = std::thread::spawn(move || listen(&listener, &shared));
        Self {
            state,
            host,
            listener: Some(listener),
        }
    }

    /// `host:port`.
    pub(crate) fn host(&self) -> String {
        self.host.clone()
    }

    /// The next requests whose target holds `part` are lied to, one after the other; then comes the truth again.
    /// What was said last counts; a request that is not let in (`demand`) takes none.
    pub(crate) fn lie(&self, part: &str, lies: impl IntoIterator<Item = Lie>) {
        self.set(part, lies.into_iter().collect(), Lie::Truth);
    }

    /// Each request whose target holds `part` is lied to.
    pub(crate) fn always(&self, part: &str, lie: Lie) {
        self.set(part, VecDeque::new(), lie);
    }

    fn set(&self, part: &str, next: VecDeque<Lie>, then: Lie) {
        let mut state = self.state.lock().unwrap();
        state.lies.retain(|lies| lies.part != part);
        let part = part.to_owned();
        state.lies.push(Lies { part, next, then });
    }

    /// From now on who asks must log in.
    pub(crate) fn demand(&self, demand: Demand) {
        self.state.lock().unwrap().login.demand(demand);
    }

    /// From now on it seems to be far away: an answer begins after this time, and a sixteenth of it passes with every
    /// 16 KiB.
    pub(crate) fn far(&self, time: Duration) {
        self.state.lock().unwrap().far = Some(time);
    }

    /// The requests so far whose target holds `part`, in their order.
    pub(crate) fn asked(&self, part: &str) -> Vec<Asked> {
        let state = self.state.lock().unwrap();
        let found = state
            .asked
            .iter()
            .filter(|asked| asked.target.contains(part));
        found.cloned().collect()
    }
}

impl Drop for Lying {
    fn drop(&mut self) {
        let open = {
            let mut state = self.state.lock().unwrap();
            state.over = true;
            std::mem::take(&mut state.open)
        };
        for stream in open {
            drop(stream.shutdown(Shutdown::Both));
        }
        // It waits for a connection.
        drop(TcpStream::connect(&self.host));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Mutex<State>>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let mut state = shared.lock().unwrap();
        if state.over {
            return;
        }
        state.open.push(stream.try_clone().unwrap());
        drop(state);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(asked) = request(&mut reader) {
                if !answer::answer(&shared, &asked, &stream) {
                    break;
                }
            }
            drop(stream.shutdown(Shutdown::Both));
        });
    }
}

/// The next request; none where the client went away or speaks something else.
fn request(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    let mut next = || {
        line.clear();
        let count = reader.read_line(&mut line).ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    };
    let first = next()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let header = next()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        method,
        target,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}
