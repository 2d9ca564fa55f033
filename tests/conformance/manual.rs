//! The manual: its example works, and it names every kind with what it asks for and what is unconfirmed.

use authalert::receiver::definition::Definition;

use crate::{definition, kinds};

/// authalert-receivers(5) as a person reads it, on one line.
fn page() -> String {
    let page = include_str!("../../packaging/man/authalert-receivers.5");
    page.replace("\\fB", "").replace("\\fR", "").replace("\\-", "-").replace("\\&", "").replace('\n', " ")
}

#[test]
fn its_example_is_a_definition() {
    let page = include_str!("../../packaging/man/authalert-receivers.5");
    let example = page.split(".\\\" begin\n").nth(1).unwrap().split(".\\\" end\n").next().unwrap();
    let example = example.replace("\\-", "-");
    let definition = Definition::parse("cellar", "authalert-receivers(5)", &example).unwrap();
    assert!(definition.costs_money() && definition.parameters().len() == 3);
}

#[test]
fn it_names_every_kind_with_what_it_asks_for_and_what_is_unconfirmed() {
    let page = page();
    let described = page.split(".SH KINDS").nth(1).unwrap();
    for kind in kinds() {
        let definition = definition(&kind);
        let start = described
            .find(&format!(".TP .B {kind} "))
            .unwrap_or_else(|| panic!("{kind} is not in the manual"));
        let entry = described[start + 4..].split(".TP").next().unwrap();
        assert!(entry.contains(definition.summary()), "{kind}: its summary");
        for parameter in definition.parameters() {
            let name = parameter.name.get_ref();
            let shown = match (parameter.is_required(), parameter.secret) {
                (true, true) => format!("{name}* (secret)"),
                (false, true) => format!("{name} (secret)"),
                (true, false) => format!("{name}*"),
                (false, false) => name.clone(),
            };
            assert!(entry.contains(&shown), "{kind}: {shown}");
        }
        for line in definition.unconfirmed() {
            assert!(entry.contains(line), "{kind}: {line}");
        }
    }
}
