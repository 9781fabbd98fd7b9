import HostInspection
import HostKernel
import KSMPolicy

/// What Prometheus is told of KSM on this host: the daemon's decisions, and what the kernel makes of them.
///
/// Base units throughout. No name is one of node_exporter's, whose own collector (`node_ksmd_*`) shows KSM's files as
/// they are.
struct HostMetrics {
    let host: HostView
    let now: WallTime
    let version: String
    /// For metrics of each guest; `nil` for none.
    var guests: GuestList?

    var text: String {
        var exposition = Exposition()
        addDaemon(&exposition)
        addKernel(&exposition)
        if let guests { add(guests, &exposition) }
        return exposition.text
    }

    private func addDaemon(_ to: inout Exposition) {
        to.add(
            "build_info", .gauge, "The version of the program that wrote these metrics.",
            [Exposition.Sample(labels: [("version", version)], value: 1)])
        to.add(
            "up", .gauge, "Whether the daemon runs; left out where that cannot be told.",
            host.daemonFailure == nil ? Int64(host.daemon == .none ? 0 : 1) : nil)
        guard let report = host.state?.report else { return }
        let decision = report.decision
        to.add(
            "decision_info", .gauge, "The last decision: who decided what, and why.",
            [
                Exposition.Sample(
                    labels: [
                        ("policy", decision.policy.word), ("action", decision.action.word),
                        ("reason", decision.reason.word),
                    ], value: 1)
            ])
        to.add("decision_age_seconds", .gauge, "Time since the last decision.", report.age(now).seconds)
        to.add(
            "decision_interval_seconds", .gauge,
            "Time from the last decision to the next one if nothing else happens; none where it comes on signals only.",
            report.finitePause?.seconds)
        if let tally = host.state?.tally { add(tally, &to) }
        to.add("guests", .gauge, "Guests that were counted for the last decision.", report.guests)
        to.add("memory_bytes", .gauge, "The host's memory: MemTotal.", decision.total.bytes)
        to.add("free_bytes", .gauge, "Free memory by KSM_FREE_METRIC.", decision.memory.free.bytes)
        to.add("committed_bytes", .gauge, "Memory of the guests by KSM_PS_METRIC.", decision.memory.committed.bytes)
        to.add("threshold_bytes", .gauge, "The reserve that the policy keeps free.", decision.threshold.bytes)
    }

    private func add(_ tally: Tally, _ to: inout Exposition) {
        to.add(
            "decisions_total", .counter, "Decisions since the daemon started.",
            [
                Exposition.Sample(
                    labels: [("action", Decision.Action.scan.word)], value: Double(tally.scanDecisions)),
                Exposition.Sample(
                    labels: [("action", Decision.Action.stop.word)], value: Double(tally.stopDecisions)),
            ])
        to.add(
            "pressure_events_total", .counter, "Times that the kernel announced memory pressure to the daemon.",
            tally.pressureEvents)
        to.add(
            "foreign_writes_total", .counter, "Decisions before which something else had changed a knob.",
            tally.foreignWrites)
        to.add("failed_writes_total", .counter, "Decisions that the kernel refused.", tally.failedWrites)
    }

    private func addKernel(_ to: inout Exposition) {
        let ksm = host.ksm
        guard ksm.isPresent else { return }
        to.add(
            "ksm_run", .gauge, "What ksmd was told: 0 stopped, 1 scanning, 2 unmerged, and more of the kernel's bits.",
            ksm.run)
        to.add("pages_to_scan", .gauge, "Pages in a batch of ksmd.", ksm.pagesToScan)
        to.add(
            "sleep_seconds", .gauge, "Pause of ksmd between two batches.",
            ksm.sleepMilliseconds.map { Double($0) / 1000 })
        to.add("saved_bytes", .gauge, "Memory that merging saves, pages of zeros included.", host.savedBytes)
        to.add(
            "profit_bytes", .gauge,
            "What merging saves less what KSM takes for its own records; below 0 where it costs more than it saves.",
            ksm.generalProfit)
        to.add(
            "ksmd_cpu_seconds_total", .counter, "Time that ksmd spent on a CPU since boot.", ksm.cpu?.seconds)
        if let scheduling = ksm.scheduling {
            to.add(
                "ksmd_scheduling_info", .gauge,
                "How the kernel schedules ksmd: the policy of sched(7), and its nice value.",
                [
                    Exposition.Sample(
                        labels: [("policy", scheduling.policy.word), ("nice", String(scheduling.nice))], value: 1)
                ])
        }
        to.add("passes_total", .counter, "Passes of ksmd over all memory that is offered to it.", ksm.fullScans)
        to.add("scanned_pages_total", .counter, "Pages that ksmd looked at.", ksm.pagesScanned)
    }

    private func add(_ list: GuestList, _ to: inout Exposition) {
        func samples(_ value: (GuestDetails) -> Int64?) -> [Exposition.Sample] {
            list.guests.compactMap { guest in
                value(guest).map { value in
                    // Two guests may have one name.
                    Exposition.Sample(
                        labels: [("guest", guest.name), ("pid", String(guest.pid))], value: Double(value))
                }
            }
        }
        to.add(
            "guest_saved_bytes", .gauge, "Memory of the guest that is merged or a page of zeros.",
            samples { guest in guest.merged.map { ($0 + (guest.zero ?? .zero)).bytes } })
        to.add(
            "guest_profit_bytes", .gauge, "What merging saves in the guest less what KSM takes for it.",
            samples { $0.profit?.count })
        to.add(
            "guests_unreadable", .gauge, "Processes that are or may be guests and could not be read.",
            Int64(list.unreadable.count))
    }
}
