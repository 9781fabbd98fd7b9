/// What to do, in the words of what manages the guests.
enum Remedies {
    /// Keeps a guest, or another process, from being merged.
    static let leaveOut =
        "mem-merge=off of QEMU's -machine, <nosharepages/> in libvirt's <memoryBacking>, qm set ID --allow-ksm 0 of "
        + "Proxmox VE; of a service MemoryKSM=no"
}
