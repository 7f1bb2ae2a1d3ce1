//! Tests of inflating: every compression, every way to break one, errors of the reader.
//! They are apart to keep the module readable.

use std::io::Write as _;

use super::*;

/// Something that compresses a little.
fn sample(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 28) as u8
        })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Gives its bytes in pieces of this size.
struct Pieces<'b>(&'b [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(into.len()).min(self.0.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn all(bytes: &[u8], piece: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut from = inflate(Box::new(Pieces(bytes, piece)))?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(out),
            count => out.extend_from_slice(&buffer[..count]),
        }
    }
}

fn class(result: io::Result<Vec<u8>>) -> Class {
    Failure::of_io(result.unwrap_err(), "x").class
}

#[test]
fn every_compression_is_told_by_its_first_bytes() {
    let plain = sample(700_000);
    let with_name = [
        &[0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0][..],
        b"abcname\0comment\0",
    ]
    .concat();
    let mut sum = flate2::Crc::new();
    sum.update(&with_name);
    let sum = sum.sum().to_le_bytes();
    let with_name = [with_name.as_slice(), &sum[..2], &gzip(&plain)[10..]].concat();
    let table = [
        ("plain", plain.clone()),
        ("gzip", gzip(&plain)),
        ("zstd", zstd::encode_all(plain.as_slice(), 3).unwrap()),
        (
            "two members",
            [gzip(&plain[..300_000]), gzip(&plain[300_000..])].concat(),
        ),
        (
            "an empty member",
            [gzip(b""), gzip(&plain), gzip(b"")].concat(),
        ),
        ("a header with everything", with_name),
    ];
    for (name, packed) in table {
        for piece in [1, 7, 16 << 10, usize::MAX] {
            assert!(
                all(&packed, piece).unwrap() == plain,
                "{name} in pieces of {piece}"
            );
        }
    }
    assert_eq!(all(b"", 1).unwrap(), b"");
    assert_eq!(all(b"ab", 1).unwrap(), b"ab");
    assert_eq!(all(&gzip(b""), 1).unwrap(), b"");
}

#[test]
fn many_small_members_are_one_stream() {
    let packed: Vec<u8> = (0..3000u32).flat_map(|n| gzip(&n.to_le_bytes())).collect();
    let plain: Vec<u8> = (0..3000u32).flat_map(u32::to_le_bytes).collect();
    assert!(all(&packed, 4096).unwrap() == plain);
}

#[test]
fn a_stream_that_is_cut_off_is_an_error() {
    let plain = sample(200_000);
    for packed in [gzip(&plain), zstd::encode_all(plain.as_slice(), 3).unwrap()] {
        let length = packed.len();
        for cut in [5, 12, 100, length / 2, length - 9, length - 8, length - 1] {
            assert_eq!(
                class(all(&packed[..cut], 4096)),
                Class::Image,
                "at {cut} of {length}"
            );
        }
    }
}

#[test]
fn a_damaged_stream_is_an_error() {
    let plain = sample(200_000);
    let packed = gzip(&plain);
    let mut wrong = packed.clone();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    let table = [
        ("a wrong length", wrong),
        (
            "something behind it",
            [packed.as_slice(), b"behind"].concat(),
        ),
        ("no deflate", [&packed[..10], &[0xff; 64]].concat()),
        ("another method", [&[0x1f, 0x8b, 9], &packed[3..]].concat()),
    ];
    for (name, packed) in table {
        assert_eq!(class(all(&packed, 4096)), Class::Image, "{name}");
    }
    // A window that is larger than the bound.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(&plain).unwrap();
    assert_eq!(class(all(&encoder.finish().unwrap(), 4096)), Class::Image);
}

/// Fails after its bytes.
struct Failing<'b>(&'b [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(Failure::new(Class::Network, Error::host("gone")).into());
        }
        self.0.read(into)
    }
}

#[test]
fn an_error_of_the_reader_comes_through() {
    let plain = sample(200_000);
    let zstd = zstd::encode_all(plain.as_slice(), 3).unwrap();
    for packed in [plain.clone(), gzip(&plain), zstd] {
        let mut from = inflate(Box::new(Failing(&packed[..packed.len() - 1]))).unwrap();
        let error = from.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(Failure::of_io(error, "x").class, Class::Network);
    }
}
