import HostKernel
import KSMPolicy

/// What a setting needs that the unit does not give by itself: a capability, which a drop-in beside the unit adds.
struct MetricCapability {
    /// What needs it, at the beginning of a sentence.
    private let need: String
    private let capability: Capability
    /// The drop-in's name.
    private let dropIn: String
    private let consequence: String

    /// What is missing for a configuration, as sentences without a full stop.
    static func missing(for configuration: Configuration, _ paths: HostPaths) -> [String] {
        // A tree that stands for a host shows everything to everybody.
        guard !paths.isStandIn else { return [] }
        var needs: [MetricCapability] = []
        if ProcessListing.isPartial(paths) {
            needs.append(
                MetricCapability(
                    need: "/proc hides other users' processes (hidepid=), so seeing guests", capability: .trace,
                    dropIn: "hidepid.conf", consequence: "KSM stays as it is until then"))
        }
        let metric = "KSM_PS_METRIC=\(configuration.guestMetric.word)"
        let consequence = "guests of other users count with their resident size"
        switch configuration.guestMetric {
        case .pss:
            needs.append(
                MetricCapability(need: metric, capability: .trace, dropIn: "pss.conf", consequence: consequence))
        case .unmerged:
            needs.append(
                MetricCapability(
                    need: metric, capability: .readAll, dropIn: "unmerged.conf", consequence: consequence))
        case .rsz, .residentAndSwap: break
        }
        let folder = paths.dropIns.first { HostFile.canRead($0) } ?? paths.dropIns[paths.dropIns.count - 1]
        return needs.filter { !$0.capability.isHeld }.map { need in
            "\(need.need) needs \(need.capability.name), which this process lacks: \(need.consequence). To add it: "
                + "install -D -m644 -t \(paths.unitDropIns) \(folder)/\(need.dropIn) && systemctl daemon-reload && "
                + "systemctl restart ksmtuned"
        }
    }
}
