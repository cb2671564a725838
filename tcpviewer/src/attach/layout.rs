//! Where the running kernel keeps what the programs read of a process: the offsets of a few fields in its own type
//! information (BTF, Linux documentation: Documentation/bpf/btf.rst). In: the bytes of /sys/kernel/btf/vmlinux. Out:
//! a [`TaskLayout`], or why there is none.

use std::{collections::HashMap, fs};

use tcpviewer_common::owner::TaskLayout;

/// The type information of the running kernel.
const KERNEL_TYPES: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u32 = 0xeb9f;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
/// Structures within structures that are looked into.
const DEPTH: u32 = 4;

/// The layout of the running kernel.
///
/// # Errors
///
/// When the kernel does not tell, or tells of other fields.
pub fn of_kernel() -> Result<TaskLayout, String> {
    let bytes = fs::read(KERNEL_TYPES).map_err(|error| format!("read {KERNEL_TYPES}: {error}"))?;
    let types = Types::read(&bytes).ok_or_else(|| format!("read {KERNEL_TYPES}: not understood"))?;
    let field = |name, field| {
        types
            .offset(name, field)
            .ok_or_else(|| format!("read {KERNEL_TYPES}: no {name}.{field}"))
    };
    Ok(TaskLayout {
        group_leader: field("task_struct", "group_leader")?,
        start_boottime: field("task_struct", "start_boottime")?,
        comm: field("task_struct", "comm")?,
        mm: field("task_struct", "mm")?,
        arg_start: field("mm_struct", "arg_start")?,
        arg_end: field("mm_struct", "arg_end")?,
    })
}

/// Type information, of which structures and unions are read.
struct Types<'a> {
    strings: &'a [u8],
    /// The types by their number less one: what they are and what follows their head.
    all: Vec<Type<'a>>,
    by_name: HashMap<&'a [u8], usize>,
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
            if kind == STRUCT {
                read.by_name.insert(text(strings, name)?, read.all.len());
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
    fn offset(&self, name: &str, field: &str) -> Option<u32> {
        let &index = self.by_name.get(name.as_bytes())?;
        self.bits(index, field.as_bytes(), DEPTH).map(|bits| bits / 8)
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
        6 | 13 => members * 8,
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
    /// which all members are of type 1.
    fn outer() -> Vec<u8> {
        let strings = b"\0outer\0first\0second\0third\0fourth\0";
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
