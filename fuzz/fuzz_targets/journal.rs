//! Any bytes where the journal should be: read to the last complete line, in bounded memory, and
//! what is taken for a failure is whole, neutral and encodes to what was read. A record that was
//! written between any rubbish is found.
#![no_main]

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;

use authalert::event::{Class, Route};
use authalert::journal::read::{Line, read_file};
use authalert::journal::decode::{Decoded, decode};
use authalert::journal::line::LONGEST;
use authalert::journal::record::{Record, encode};
use authalert::neutral::{NAME_LIMIT, is_visible};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};

thread_local! {
    static FILE: OnceCell<File> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    let [choice, data @ ..] = data else { return };
    let name = &data[..data.len().min(usize::from(*choice))];
    let line = encode(&Record {
        time: (1_795_435_307, 5),
        host: name,
        route: Route::Pam,
        class: Class::Failure,
        count: 1,
        service: name,
        pid: 1,
        ppid: 2,
        user: name,
        rhost: name,
        address: if choice & 2 == 0 { b"" } else { name },
        tty: name,
        ruser: name,
        uid: 3,
        origin: name,
    });
    assert!(line.len() <= LONGEST && line.ends_with(b"\n"));
    assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
    let (Some(Decoded::Event(read)), false) = decode(line.trim_ascii_end()) else { panic!("{data:?}") };
    for text in [&read.service, &read.user, &read.rhost, &read.tty, &read.ruser] {
        assert!(text.chars().all(is_visible) && text.chars().count() <= NAME_LIMIT, "{text:?}");
    }

    // Rubbish as a line, whole and torn in front of a record.
    let _ = decode(data);
    let mut torn = data.to_vec();
    torn.retain(|b| *b != b'\n');
    torn.extend_from_slice(line.trim_ascii_end());
    assert!(matches!(decode(&torn), (Some(Decoded::Event(f)), _) if f == read), "{torn:?}");

    // Rubbish as a file with a record at its end; every other time, as it costs most of the time.
    if choice & 1 == 0 {
        return;
    }
    FILE.with(|file| {
        let file = file.get_or_init(|| memfd_create("journal", MemfdFlags::CLOEXEC).unwrap().into());
        let mut file = file.try_clone().unwrap();
        file.set_len(0).unwrap();
        file.write_all_at(data, 0).unwrap();
        file.write_all_at(b"\n", data.len() as u64).unwrap();
        file.write_all_at(&line, data.len() as u64 + 1).unwrap();
        let size = (data.len() + 1 + line.len()) as u64;
        let (mut last, mut lines) = (None, 0);
        let end = read_file(&mut file, 0, &mut |at, line| {
            assert!(at < size);
            lines += 1;
            match line {
                Line::Event(failure) => last = Some(failure),
                Line::Unreadable(bytes) => assert!(bytes.len() <= LONGEST),
                Line::Unknown => {}
            }
        });
        assert_eq!(end.unwrap(), size);
        assert_eq!(last, Some(read));
        assert!(lines <= 2 * (data.iter().filter(|b| **b == b'\n').count() + 2));
    });
});
