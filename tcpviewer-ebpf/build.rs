//! Tells the compiler of the flag by which the code knows the machine that it will run on; `aya-build` sets it.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(bpf_target_arch, values(any()))");
}
