//! The reference of the API, made of the contract's own comments. In: `proto/`. Out: `tcpviewer/docs/reference.md`, or
//! the fields whose comments say too little.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use protox::Compiler;
use protox::prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

use crate::exec::root;

/// Numbers of fields in the descriptors of descriptors: the places of comments are made of them.
const MESSAGES: i32 = 4;
const ENUMS: i32 = 5;
const SERVICES: i32 = 6;
const FIELDS: i32 = 2;
const VALUES: i32 = 2;
const METHODS: i32 = 2;
const SYNTAX: i32 = 12;

const PACKAGE: &str = ".tcpviewer.v1.";

/// The whole page.
pub(super) fn page() -> Result<String> {
    let mut compiler = Compiler::new([root().join("proto")]).context("read proto/")?;
    compiler.include_source_info(true).include_imports(true);
    compiler
        .open_file("tcpviewer/v1/service.proto")
        .context("compile proto/")?;
    let files = compiler.file_descriptor_set().file;
    let own = files.iter().filter(|file| file.package() == "tcpviewer.v1");
    // What is imported comes first there; a reader begins with the service.
    let own: Vec<_> = own.map(File::new).rev().collect();
    let mut page = String::from(
        "# Reference of the API\n\nMade of the comments in [`proto/tcpviewer/v1`](../../proto/tcpviewer/v1) by \
         `cargo xtask proto`; how to ask is in [api.md](api.md).\n",
    );
    for file in &own {
        let rules = file.comment(&[SYNTAX]);
        if let Some((_title, rules)) = rules.split_once("\n\n") {
            page += &format!("\n{rules}\n");
        }
    }
    let mut silent = Vec::new();
    for file in &own {
        file.write(&mut page, &mut silent);
    }
    if !silent.is_empty() {
        bail!(
            "comments of fields that may be absent do not say when, nor do those of their messages:\n  {}",
            silent.join("\n  ")
        );
    }
    Ok(page)
}

/// A file of the contract with its comments by place.
struct File<'a> {
    descriptor: &'a FileDescriptorProto,
    comments: HashMap<&'a [i32], &'a str>,
}

impl<'a> File<'a> {
    fn new(descriptor: &'a FileDescriptorProto) -> Self {
        let locations = descriptor.source_code_info.iter().flat_map(|info| &info.location);
        let comments = locations
            .filter_map(|location| Some((location.path.as_slice(), location.leading_comments.as_deref()?)));
        Self {
            descriptor,
            comments: comments.collect(),
        }
    }

    /// What stands above a place, without the space before each line.
    fn comment(&self, place: &[i32]) -> String {
        let comment = self.comments.get(place).copied().unwrap_or_default();
        let lines: Vec<_> = comment
            .lines()
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        lines.join("\n").trim().to_owned()
    }

    /// The same in one line of a table.
    fn cell(&self, place: &[i32]) -> String {
        self.comment(place).replace('\n', " ").replace('|', "\\|")
    }

    fn write(&self, page: &mut String, silent: &mut Vec<String>) {
        for (index, service) in (0..).zip(&self.descriptor.service) {
            self.write_service(page, index, service);
        }
        for (index, message) in (0..).zip(&self.descriptor.message_type) {
            self.write_message(page, silent, index, message);
        }
        for (index, words) in (0..).zip(&self.descriptor.enum_type) {
            self.write_enum(page, index, words);
        }
    }

    fn write_service(&self, page: &mut String, index: i32, service: &ServiceDescriptorProto) {
        *page += &format!(
            "\n## {}\n\n{}\n",
            service.name(),
            self.comment(&[SERVICES, index])
        );
        for (number, method) in (0..).zip(&service.method) {
            let stream = if method.server_streaming() {
                "stream of "
            } else {
                ""
            };
            *page += &format!(
                "\n### {}\n\n{} → {stream}{}\n\n{}\n",
                method.name(),
                link(method.input_type()),
                link(method.output_type()),
                self.comment(&[SERVICES, index, METHODS, number])
            );
        }
    }

    fn write_message(
        &self,
        page: &mut String,
        silent: &mut Vec<String>,
        index: i32,
        message: &DescriptorProto,
    ) {
        let about = self.comment(&[MESSAGES, index]);
        *page += &format!("\n## {}\n\n{about}\n", message.name());
        if message.field.is_empty() {
            return;
        }
        *page += "\n| field | type | meaning |\n| --- | --- | --- |\n";
        for (number, field) in (0..).zip(&message.field) {
            let meaning = self.cell(&[MESSAGES, index, FIELDS, number]);
            let tells = |text: &str| text.to_lowercase().contains("absent");
            if field.proto3_optional() && !tells(&meaning) && !tells(&about) {
                silent.push(format!("{}.{}", message.name(), field.name()));
            }
            *page += &format!("| `{}` | {} | {meaning} |\n", field.name(), kind(field));
        }
    }

    fn write_enum(&self, page: &mut String, index: i32, words: &EnumDescriptorProto) {
        *page += &format!("\n## {}\n\n{}\n", words.name(), self.comment(&[ENUMS, index]));
        *page += "\n| value | meaning |\n| --- | --- |\n";
        for (number, value) in (0..).zip(&words.value) {
            let meaning = self.cell(&[ENUMS, index, VALUES, number]);
            *page += &format!("| `{}` | {meaning} |\n", value.name());
        }
    }
}

/// The type of a field as the contract writes it.
fn kind(field: &FieldDescriptorProto) -> String {
    let scalar = field
        .r#type()
        .as_str_name()
        .trim_start_matches("TYPE_")
        .to_lowercase();
    let name = if matches!(field.r#type(), Type::Message | Type::Enum) {
        link(field.type_name())
    } else {
        format!("`{scalar}`")
    };
    if field.label() == Label::Repeated {
        format!("repeated {name}")
    } else if field.proto3_optional() {
        format!("optional {name}")
    } else {
        name
    }
}

/// A type with the way to it, if it is on this page.
fn link(full_name: &str) -> String {
    match full_name.strip_prefix(PACKAGE) {
        Some(name) => format!("[{name}](#{})", name.to_lowercase()),
        None => format!("`{}`", full_name.trim_start_matches('.')),
    }
}

#[cfg(test)]
mod tests {
    use protox::prost_reflect::prost_types::{SourceCodeInfo, source_code_info::Location};

    use super::*;

    fn written(about: &str, meaning: &str) -> (String, Vec<String>) {
        let comment = |path: &[i32], text: &str| Location {
            path: path.to_vec(),
            leading_comments: Some(format!(" {text}\n")),
            ..Location::default()
        };
        let mut field = FieldDescriptorProto {
            name: Some("rtt_us".into()),
            proto3_optional: Some(true),
            ..FieldDescriptorProto::default()
        };
        field.set_type(Type::Uint32);
        let file = FileDescriptorProto {
            message_type: vec![DescriptorProto {
                name: Some("Rtt".into()),
                field: vec![field],
                ..DescriptorProto::default()
            }],
            source_code_info: Some(SourceCodeInfo {
                location: vec![
                    comment(&[MESSAGES, 0], about),
                    comment(&[MESSAGES, 0, FIELDS, 0], meaning),
                ],
            }),
            ..FileDescriptorProto::default()
        };
        let (mut page, mut silent) = (String::new(), Vec::new());
        File::new(&file).write(&mut page, &mut silent);
        (page, silent)
    }

    #[test]
    fn a_message_is_a_table_of_its_fields() {
        let (page, _silent) = written("Times.", "Newest time,\n a|b. Absent at first.");

        assert_eq!(
            page,
            "\n## Rtt\n\nTimes.\n\n| field | type | meaning |\n| --- | --- | --- |\n\
             | `rtt_us` | optional `uint32` | Newest time, a\\|b. Absent at first. |\n"
        );
    }

    #[test]
    fn a_field_that_may_be_absent_has_to_say_when_or_its_message_has() {
        assert_eq!(written("Times.", "Newest time.").1, ["Rtt.rtt_us"]);
        assert!(written("Times.", "Newest time. Absent at first.").1.is_empty());
        assert!(written("Absent until measured.", "Newest time.").1.is_empty());
    }
}
