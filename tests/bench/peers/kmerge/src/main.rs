//! The peer of the merge benchmark: what a Rust programmer writes first. itertools' kmerge over buffered readers of the
//! files named on the command line, lines as byte vectors, to buffered standard output.
use itertools::Itertools;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

/// The lines of a reader without their newlines, each a vector of its own.
struct Lines(BufReader<File>);

impl Iterator for Lines {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let count = self.0.read_until(b'\n', &mut line).expect("read");
        if count == 0 {
            return None;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Some(line)
    }
}

fn main() -> io::Result<()> {
    let inputs: Vec<Lines> = std::env::args_os()
        .skip(1)
        .map(|path| File::open(path).map(|file| Lines(BufReader::new(file))))
        .collect::<io::Result<_>>()?;
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    for line in inputs.into_iter().kmerge() {
        output.write_all(&line)?;
        output.write_all(b"\n")?;
    }
    output.flush()
}
