import HostInspection
import KSMAnalysis
import KSMPolicy

// What a plan is made from, as every command that compares this host with its guests takes it.

extension SwapRoom {
    /// That of a host.
    init(_ devices: [SwapDevice]) {
        self.init(
            devices.map { Area(name: $0.path, size: $0.size, backing: $0.isZram ? .memory : .disk) })
    }
}

extension GuestGroup {
    /// A guest that runs.
    init(_ guest: GuestDetails) {
        self.init(
            memory: guest.configured ?? guest.resident ?? .zero, vcpus: guest.vcpus.map { Int64($0) },
            name: guest.name)
        isResident = guest.configured == nil
        isUnswappable = guest.obstacles.contains(.hugePages)
    }
}
