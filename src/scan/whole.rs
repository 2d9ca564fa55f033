//! Logs that are read as a whole, of which nothing is remembered: named ones in a dry run.

use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Timestamp;

use super::attempts::Open;
use super::intake::Intake;
use super::reading::Halt;
use super::report::{self, Style};
use super::rules::book::book;
use super::sample::{self, Sample};
use super::source::Log;
use super::text::Source;
use super::{Error, ScanOptions, ScanReport, Watch};

pub(super) type Take<'a> = &'a mut dyn FnMut(&mut Intake) -> Result<(), Error>;

/// Named files in a dry run are read as a whole, and everything is settled at their end.
pub(crate) fn dry_run(
    options: &ScanOptions,
    style: Style,
    out: &mut dyn Write,
    watch: Watch<'_>,
) -> Result<ScanReport, Error> {
    let warnings = book().mistakes().to_vec();
    let mut report = ScanReport { warnings, ..ScanReport::default() };
    let since = options.since.map_or(i64::MIN, Timestamp::as_microsecond);
    let mut table = report::Summary::default();
    for path in &options.files {
        let mut intake = Intake::new(options.json || options.explain, options.explain, Open::default());
        let mut found = 0;
        let mut print = |intake: &mut Intake| {
            intake.explained(out)?;
            for row in intake.attempts.take_settled() {
                if row.time >= since {
                    found += u64::from(row.count);
                    style.row(out, path, &row, row.count)?;
                    table.add(&row);
                }
            }
            // Whoever writes the log may be at it.
            out.flush()
        };
        let sample = read(path, &mut intake, watch, &mut |intake| print(intake).map_err(Error::Output))?;
        intake.attempts.finish();
        print(&mut intake).map_err(Error::Output)?;
        if let Some(line) = sample.unread.filter(|_| found == 0) {
            report.errors.push(Error::NotUnderstood(path.clone(), line).to_string());
        }
        report.found += found;
        report.lines += intake.lines;
        report.uncounted += intake.uncounted;
        report.sources.push(path.to_string_lossy().into_owned());
    }
    report.recorded = report.found;
    // Of logs that could not be read there is nothing to sum up.
    let nothing_read = report.errors.len() == options.files.len();
    if !options.json && !options.explain && !nothing_read {
        table.print(out).map_err(Error::Output)?;
        report::uncounted(out, report.uncounted).map_err(Error::Output)?;
    }
    Ok(report)
}

/// Read a log to its end, the oldest line first; what its first lines showed comes back.
pub(super) fn read(
    path: &Path,
    intake: &mut Intake,
    watch: Watch<'_>,
    after: Take<'_>,
) -> Result<Sample, Error> {
    let failed = |why| Error::Read(path.to_owned(), why);
    let mut read_stream = |intake: &mut Intake, stream: Box<dyn Read>, written: Timestamp| {
        let sorted = sample::sorted(stream, written).map_err(failed)?;
        intake.turned = sorted.turned;
        let read = read_source(Source::stream(path, sorted.text, written), intake, watch, after);
        intake.turned = None;
        read.map(|()| sorted.sample)
    };
    if path == Path::new("-") {
        return read_stream(intake, Box::new(io::stdin().lock()), Timestamp::now());
    }
    let log = Log::open(path).map_err(failed)?;
    if let Some((file, _)) = log.plain() {
        let sample = Sample::of_file(file, log.written).map_err(failed)?;
        if !sample.is_newest_first && !sample.is_export {
            let source = Source::whole(&log).map_err(failed)?;
            return read_source(source, intake, watch, after).map(|()| sample);
        }
    }
    read_stream(intake, log.stream().map_err(failed)?, log.written)
}

pub(super) fn read_source(
    source: Source<'_>,
    intake: &mut Intake,
    watch: Watch<'_>,
    after: Take<'_>,
) -> Result<(), Error> {
    let path = source.path().to_owned();
    intake.read(source, watch, after).map(|_| ()).map_err(|halt| match halt {
        Halt::Read(why) => Error::Read(path, why),
        Halt::Emptied => Error::Emptied(path),
        Halt::Taker(error) => error,
    })
}
