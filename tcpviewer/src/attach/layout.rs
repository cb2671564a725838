//! Where the running kernel keeps what the programs read of its structures: the offsets of a few fields in its own type
//! information (BTF, Linux documentation: Documentation/bpf/btf.rst). In: the bytes of /sys/kernel/btf/vmlinux. Out:
//! the [`Layouts`], or why there are none.

use std::{collections::HashMap, fs, sync::Arc};

use tcpviewer_common::{failure::SocketLayout, owner::TaskLayout};

/// The type information of the running kernel.
const KERNEL_TYPES: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u32 = 0xeb9f;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUMERATION: u32 = 6;
/// Structures within structures that are looked into.
const DEPTH: u32 = 4;

/// What is known of the running kernel; else why it is not: the kernel does not tell, or tells of other fields.
#[derive(Clone, Debug)]
pub struct Layouts {
    /// Of processes.
    pub task: Result<TaskLayout, String>,
    /// Of sockets and packets.
    pub socket: Result<SocketLayout, String>,
    /// The reasons for resets by their numbers (`enum sk_rst_reason`, Linux 6.10).
    pub reset_reasons: Result<ResetReasons, String>,
}

/// Names of the reasons for resets, as the kernel has them but for what they all begin with.
pub type ResetReasons = HashMap<u32, Arc<str>>;

/// What all reasons for resets begin with.
const REASON: &str = "SK_RST_REASON_";

impl Layouts {
    /// Those of the running kernel.
    pub fn of_kernel() -> Self {
        let unknown = |reason: String| Self {
            task: Err(reason.clone()),
            socket: Err(reason.clone()),
            reset_reasons: Err(reason),
        };
        let bytes = match fs::read(KERNEL_TYPES) {
            Ok(bytes) => bytes,
            Err(error) => return unknown(format!("read {KERNEL_TYPES}: {error}")),
        };
        match Types::read(&bytes) {
            Some(types) => Self {
                task: task(&types),
                socket: socket(&types),
                reset_reasons: reset_reasons(&types),
            },
            None => unknown(format!("read {KERNEL_TYPES}: not understood")),
        }
    }
}

fn task(types: &Types<'_>) -> Result<TaskLayout, String> {
    Ok(TaskLayout {
        group_leader: types.field("task_struct", "group_leader")?,
        start_boottime: types.field("task_struct", "start_boottime")?,
        comm: types.field("task_struct", "comm")?,
        mm: types.field("task_struct", "mm")?,
        arg_start: types.field("mm_struct", "arg_start")?,
        arg_end: types.field("mm_struct", "arg_end")?,
    })
}

fn socket(types: &Types<'_>) -> Result<SocketLayout, String> {
    // A socket begins with what all kinds of sockets have in common.
    let start = types.field("sock", "__sk_common")?;
    let common = |field| Ok::<_, String>(start + types.field("sock_common", field)?);
    Ok(SocketLayout {
        family: common("skc_family")?,
        state: common("skc_state")?,
        remote_v4: common("skc_daddr")?,
        local_v4: common("skc_rcv_saddr")?,
        remote_v6: common("skc_v6_daddr")?,
        local_v6: common("skc_v6_rcv_saddr")?,
        remote_port: common("skc_dport")?,
        local_port: types.field("inet_sock", "inet_sport")?,
        protocol: types.field("sock", "sk_protocol")?,
        error: types.field("sock", "sk_err")?,
        packet_head: types.field("sk_buff", "head")?,
        network_header: types.field("sk_buff", "network_header")?,
        transport_header: types.field("sk_buff", "transport_header")?,
    })
}

fn reset_reasons(types: &Types<'_>) -> Result<ResetReasons, String> {
    let names = types
        .names("sk_rst_reason")
        .ok_or_else(|| format!("read {KERNEL_TYPES}: no sk_rst_reason, which Linux has since 6.10"))?;
    Ok(names
        .into_iter()
        .map(|(number, name)| (number, name.strip_prefix(REASON).unwrap_or(&name).into()))
        .collect())
}

/// Type information, of which structures, unions and enumerations are read.
struct Types<'a> {
    strings: &'a [u8],
    /// The types by their number less one: what they are and what follows their head.
    all: Vec<Type<'a>>,
    /// Structures and enumerations.
    by_name: HashMap<(u32, &'a [u8]), usize>,
}

struct Type<'a> {
    kind: u32,
    /// Whether the offsets of members have the size of a bit field above them.
    has_bit_fields: bool,
    members: &'a [u8],
}

impl<'a> Types<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let number = |at| number(bytes, at);
        if number(0)? & 0xffff != MAGIC {
            return None;
        }
        let start = number(4)? as usize;
        let types = start + number(8)? as usize;
        let mut rest = bytes.get(types..types + number(12)? as usize)?;
        let strings = start + number(16)? as usize;
        let strings = bytes.get(strings..strings + number(20)? as usize)?;
        let mut read = Self {
            strings,
            all: Vec::new(),
            by_name: HashMap::new(),
        };
        while !rest.is_empty() {
            let (head, after) = rest.split_at_checked(12)?;
            let (name, info) = (self::number(head, 0)?, self::number(head, 4)?);
            let kind = info >> 24 & 0x1f;
            let (members, after) = after.split_at_checked(following(kind, (info & 0xffff) as usize)?)?;
            if kind == STRUCT || kind == ENUMERATION {
                read.by_name.insert((kind, text(strings, name)?), read.all.len());
            }
            read.all.push(Type {
                kind,
                has_bit_fields: info >> 31 == 1,
                members,
            });
            rest = after;
        }
        Some(read)
    }

    /// Where the field is in the structure, bytes.
    ///
    /// # Errors
    ///
    /// When there is no such field.
    fn field(&self, name: &str, field: &str) -> Result<u32, String> {
        self.offset(name, field)
            .ok_or_else(|| format!("read {KERNEL_TYPES}: no {name}.{field}"))
    }

    fn offset(&self, name: &str, field: &str) -> Option<u32> {
        let &index = self.by_name.get(&(STRUCT, name.as_bytes()))?;
        self.bits(index, field.as_bytes(), DEPTH).map(|bits| bits / 8)
    }

    /// The numbers of an enumeration with their names.
    fn names(&self, name: &str) -> Option<Vec<(u32, String)>> {
        let &index = self.by_name.get(&(ENUMERATION, name.as_bytes()))?;
        let values = self.all.get(index)?.members.chunks_exact(8);
        let value = |value| {
            let name = text(self.strings, number(value, 0)?)?;
            Some((number(value, 4)?, String::from_utf8_lossy(name).into_owned()))
        };
        values.map(value).collect()
    }

    /// The same in bits, for fields of the structure and of those without a name that it is made of.
    fn bits(&self, index: usize, field: &[u8], depth: u32) -> Option<u32> {
        let own = self.all.get(index)?;
        if own.kind != STRUCT && own.kind != UNION {
            return None;
        }
        own.members.chunks_exact(12).find_map(|member| {
            let offset = number(member, 8)?;
            let offset = if own.has_bit_fields {
                offset & 0xff_ffff
            } else {
                offset
            };
            match text(self.strings, number(member, 0)?)? {
                name if name == field => Some(offset),
                b"" if depth > 0 => {
                    let inner = (number(member, 4)? as usize).checked_sub(1)?;
                    Some(offset + self.bits(inner, field, depth - 1)?)
                }
                _ => None,
            }
        })
    }
}

/// How many bytes follow the head of a type.
const fn following(kind: u32, members: usize) -> Option<usize> {
    Some(match kind {
        // Pointers, forward declarations, typedefs, qualifiers, functions, floats, type tags.
        2 | 7..=12 | 16 | 18 => 0,
        // Integers, variables, declaration tags.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        // Structures, unions, sections, 64-bit enumerations.
        STRUCT | UNION | 15 | 19 => members * 12,
        // Enumerations and prototypes.
        ENUMERATION | 13 => members * 8,
        _ => return None,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The string that begins here.
fn text(strings: &[u8], at: u32) -> Option<&[u8]> {
    strings.get(at as usize..)?.split(|&byte| byte == 0).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type information of `struct outer { int first; union { int second; struct { int third, fourth; }; }; }`, in
    /// which all members are of type 1, and of `enum which { one = 1, two = 2 }`.
    fn outer() -> Vec<u8> {
        let strings = b"\0outer\0first\0second\0third\0fourth\0which\0one\0two\0";
        let name = |name: &str| {
            let text = String::from_utf8_lossy(strings);
            text.find(&format!("\0{name}\0")).unwrap() as u32 + 1
        };
        let head = |name, kind: u32, members: u32, size| [name, kind << 24 | members, size];
        let types = [
            head(0, 1, 0, 4).to_vec(),
            vec![32],
            head(0, STRUCT, 2, 8).to_vec(),
            vec![name("third"), 1, 0, name("fourth"), 1, 32],
            head(0, UNION, 2, 8).to_vec(),
            vec![name("second"), 1, 0, 0, 2, 0],
            head(name("outer"), STRUCT, 2, 12).to_vec(),
            vec![name("first"), 1, 0, 0, 3, 32],
            head(name("which"), ENUMERATION, 2, 4).to_vec(),
            vec![name("one"), 1, name("two"), 2],
        ]
        .concat();
        let types: Vec<u8> = types.into_iter().flat_map(u32::to_ne_bytes).collect();
        let length = types.len() as u32;
        let header = [MAGIC | 1 << 16, 24, 0, length, length, strings.len() as u32];
        let header = header.into_iter().flat_map(u32::to_ne_bytes);
        header.chain(types).chain(strings.iter().copied()).collect()
    }

    #[test]
    fn fields_are_found_in_a_structure_and_in_what_it_is_made_of() {
        let bytes = outer();
        let types = Types::read(&bytes).unwrap();
        for (field, offset) in [
            ("first", Some(0)),
            ("second", Some(4)),
            ("third", Some(4)),
            ("fourth", Some(8)),
            ("fifth", None),
        ] {
            assert_eq!(types.offset("outer", field), offset, "{field}");
        }
        assert_eq!(types.offset("inner", "first"), None);
        assert_eq!(types.offset("which", "one"), None);
    }

    #[test]
    fn the_values_of_an_enumeration_have_names() {
        let bytes = outer();
        let types = Types::read(&bytes).unwrap();
        let names = types.names("which").unwrap();
        assert_eq!(names, [(1, "one".to_owned()), (2, "two".to_owned())]);
        assert_eq!(types.names("outer"), None);
    }

    #[test]
    fn what_is_cut_or_foreign_is_not_understood() {
        let bytes = outer();
        for length in 0..bytes.len() - 1 {
            assert!(Types::read(&bytes[..length]).is_none(), "{length}");
        }
        assert!(Types::read(b"something else that is longer than a header").is_none());
    }
}
