//! Unpacking on a thread of its own, ahead of who hashes and writes: both take about as long.
//! It is separate because it is nothing but two threads and the buffers between them.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

/// Bytes of a buffer.
const CHUNK: usize = 256 << 10;

/// Buffers that wait at most.
const WAITING: usize = 8;

/// Reads what another thread has read.
#[derive(Debug)]
pub(super) struct Ahead {
    from: Receiver<io::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
}

/// Begins to read what `open` opens, on a thread that ends with the stream or with its reader.
pub(super) fn ahead<'s, R, O>(scope: &'s Scope<'s, '_>, open: O) -> Ahead
where
    R: Read,
    O: FnOnce() -> io::Result<R> + Send + 's,
{
    let (to, from) = sync_channel(WAITING);
    scope.spawn(move || {
        let result = open().and_then(|reader| send_all(reader, &to));
        if let Err(error) = result {
            // Nobody waits for it any more: the reader has given up for a reason of its own.
            to.send(Err(error)).ok();
        }
    });
    Ahead {
        from,
        buffer: Vec::new(),
        at: 0,
        ended: false,
    }
}

/// Sends all of a stream; ends early when nobody reads any more.
fn send_all(mut reader: impl Read, to: &SyncSender<io::Result<Vec<u8>>>) -> io::Result<()> {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        let ended = chunk.is_empty();
        // An empty buffer tells the end from a thread that died.
        if to.send(Ok(chunk)).is_err() || ended {
            return Ok(());
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.buffer.len() && !self.ended {
            let gone = || io::Error::other("the thread that unpacks has ended");
            self.buffer = self.from.recv().map_err(|_| gone())??;
            self.at = 0;
            self.ended = self.buffer.is_empty();
        }
        let waiting = self.buffer.get(self.at..).unwrap_or_default();
        let count = waiting.len().min(into.len());
        if let (Some(into), Some(part)) = (into.get_mut(..count), waiting.get(..count)) {
            into.copy_from_slice(part);
        }
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at once.
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }

    #[test]
    fn bytes_and_errors_come_through_in_order() {
        let bytes: Vec<u8> = (0..5 * CHUNK + 7)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        let read = |from: Box<dyn Read + Send>, most: usize| {
            std::thread::scope(|scope| {
                let mut all = Vec::new();
                let mut reader = ahead(scope, || Ok(from)).take(most as u64);
                reader.read_to_end(&mut all).map(|_| all)
            })
        };
        let whole = io::Cursor::new(bytes.clone());
        assert_eq!(read(Box::new(whole.clone()), usize::MAX).unwrap(), bytes);
        assert_eq!(read(Box::new(whole.clone()), 3).unwrap(), bytes[..3]);
        let said = read(Box::new(whole.chain(Broken)), usize::MAX).unwrap_err();
        assert_eq!(said.to_string(), "broken");
        std::thread::scope(|scope| {
            let mut reader = ahead(scope, || Err::<io::Empty, _>(io::Error::other("no")));
            assert!(reader.read_to_end(&mut Vec::new()).is_err());
        });
    }
}
