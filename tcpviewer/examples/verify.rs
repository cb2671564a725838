use aya::{Ebpf, EbpfLoader, VerifierLogLevel, programs::SchedClassifier};
fn main() -> anyhow::Result<()> {
    let mut l = EbpfLoader::new();
    l.verifier_log_level(VerifierLogLevel::STATS);
    let mut e: Ebpf = l.load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/tcpviewer"
    )))?;
    for name in ["ethernet_in", "ethernet_out", "bare_in", "bare_out"] {
        let p: &mut SchedClassifier = e.program_mut(name).unwrap().try_into()?;
        match p.load() {
            Ok(()) => {
                let i = p.info()?;
                println!(
                    "{name} {:?} {:?} jited {:?}",
                    i.size_translated(),
                    i.verified_instruction_count(),
                    i.size_jitted()
                );
            }
            Err(x) => {
                let s = format!("{x:?}");
                let s = s.replace("\\n", "\n");
                let n = s.len();
                println!("{name}: {}", &s[n.saturating_sub(6000)..]);
                break;
            }
        }
    }
    Ok(())
}
