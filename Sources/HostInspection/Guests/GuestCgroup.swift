internal import Glibc
internal import HostKernel
internal import KSMPolicy

/// Where a process stands in the cgroups of version 1, version 2, or both beside one another, and what they allow it.
///
/// A guest's limits need not be at the group that holds its process. libvirt keeps the threads of QEMU in groups
/// `emulator` and `vcpuN`, and limits the groups above; a limit of any group binds all below. So of memory and swap the
/// least of all groups up to the root counts. Of CPU time, which the groups of a slice share as they need it, the
/// tightest limit of the guest's own groups is told: from its process's up to the next slice.
struct GuestCgroup {
    private let hierarchies: Hierarchies
    private let memory: Place?
    private let cpu: Place?
    /// As `/proc/PID/cgroup` says.
    private let path: String

    /// - Parameters:
    ///   - text: `/proc/PID/cgroup`: lines `number:controllers:path`.
    ///   - failures: Receives the error of each file that is there and cannot be read.
    /// - Returns: `nil` where no hierarchy is mounted that the process is in.
    static func limits(_ paths: HostPaths, text: [UInt8], _ failures: inout [KernelFileError]) -> GuestLimits? {
        let reader = CgroupReader()
        let limits = GuestCgroup(paths, text: text, reader)?.limits
        for failure in reader.failures where !failures.contains(failure) { failures.append(failure) }
        return limits
    }

    /// Groups deeper than this are not looked at: a user who may make groups may make thousands in one another, and of
    /// each level several files are read.
    static let deepestLevel = 64

    private init?(_ paths: HostPaths, text: [UInt8], _ reader: CgroupReader) {
        let hierarchies = Hierarchies(paths, reader)
        self.hierarchies = hierarchies
        var unified: Place?
        var memory: Place?
        var cpu: Place?
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, let components = Self.components(fields[2]) else { continue }
            guard components.count <= Self.deepestLevel else {
                reader.refuse(paths.cgroup, components)
                continue
            }
            let controllers = fields[1].split(separator: UInt8(ascii: ","))
            func place(_ controller: StaticString, _ name: String) -> Place? {
                guard controllers.contains(where: { Array($0).span.isEqual(to: controller) }) else { return nil }
                return hierarchies.folder(of: name).map { Place($0, components, isUnified: false, reader) }
            }
            if fields[1].isEmpty {
                unified = hierarchies.unified.map { Place($0, components, isUnified: true, reader) }
            }
            memory = memory ?? place("memory", "memory")
            cpu = cpu ?? place("cpu", "cpu") ?? place("cpu", "cpu,cpuacct")
        }
        self.memory = memory ?? unified
        self.cpu = cpu ?? unified
        guard let first = self.memory ?? self.cpu else { return nil }
        path = "/" + first.components.joined(separator: "/")
    }

    var limits: GuestLimits {
        var limits = GuestLimits(path: path)
        if let memory {
            memory.isUnified ? readUnified(memory, into: &limits) : readSeparate(memory, into: &limits)
        }
        if let cpu {
            limits.cpuWeight =
                cpu.isUnified ? cpu.unit.limit("cpu.weight") : cpu.unit.limit("cpu.shares").map(Self.weight)
            limits.cpuMax = [cpu.tightest { $0.quota(cpu.isUnified) }, cpu.quotaOfVirtualCPUs].compactMap { $0 }.min()
        }
        return limits
    }

    private func readUnified(_ place: Place, into limits: inout GuestLimits) {
        let (most, high) = (place.limits("memory.max"), place.limits("memory.high"))
        limits.memoryMax = most.least
        limits.memoryHigh = high.least
        limits.memoryLimits = most + high
        limits.swapLimits = place.limits("memory.swap.max")
        limits.swapMax = limits.swapLimits.least
        let unit = place.unit
        limits.memoryLow = unit.memory("memory.low").flatMap { $0 > .zero ? $0 : nil }
        limits.memoryMin = unit.memory("memory.min").flatMap { $0 > .zero ? $0 : nil }
        readKills(unit, "memory.events", into: &limits)
    }

    private func readSeparate(_ place: Place, into limits: inout GuestLimits) {
        let file = "memory.limit_in_bytes"
        limits.memoryLimits = place.limits(file)
        limits.memoryMax = limits.memoryLimits.least
        // What libvirt's soft_limit sets, which is memory.high in version 2.
        limits.memoryHigh = place.least { $0.memory("memory.soft_limit_in_bytes") }
        limits.swapMax = place.least { group in
            guard let memory = group.memory(file), let both = group.memory("memory.memsw.limit_in_bytes")
            else { return nil }
            return (both - memory).nonNegative
        }
        readKills(place.unit, "memory.oom_control", into: &limits)
    }

    private func readKills(_ group: Cgroup, _ file: String, into limits: inout GuestLimits) {
        guard let kills = group.count("oom_kill", in: file) else { return }
        limits.oomKills = kills
        limits.oomKillsFile = "\(group.folder)/\(file)"
    }

    /// The kernel takes 1024 shares of version 1 for a weight of 100 in version 2, and knows no more than 262144.
    private static func weight(shares: Int64) -> Int64 {
        min(max((min(shares, 262_144) * 100 + 512) / 1024, 1), 10_000)
    }

    /// - Returns: `nil` for a path outside of what this process can see, which begins with `/..`.
    private static func components(_ path: ArraySlice<UInt8>) -> [String]? {
        // The kernel's are no longer than a path may be, and each level is looked at.
        guard path.count <= 4096 else { return nil }
        let components = path.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        return components.contains("..") ? nil : components
    }
}

/// Where cgroups are mounted.
private struct Hierarchies {
    private let root: String
    private let reader: CgroupReader
    /// The folder of version 2, where that is mounted.
    let unified: String?

    init(_ paths: HostPaths, _ reader: CgroupReader) {
        root = paths.cgroup
        self.reader = reader
        unified = [paths.cgroup, paths.unifiedCgroup].first { reader.exists("\($0)/cgroup.controllers") }
    }

    /// The folder of a controller of version 1.
    func folder(of controller: String) -> String? {
        let folder = "\(root)/\(controller)"
        return reader.exists(folder) ? folder : nil
    }
}

/// Looks at files of cgroups, and keeps what fails. A group that has gone has no files.
private final class CgroupReader {
    private(set) var failures: [KernelFileError] = []

    func read(_ path: String) -> [UInt8]? {
        do throws(KernelFileError) {
            return try HostFile.read(path, limit: 256)
        } catch {
            if !error.isAbsent, error.errno != ENODEV { fail(error) }
            return nil
        }
    }

    func exists(_ path: String) -> Bool {
        if unsafe access(path, F_OK) == 0 { return true }
        let failure = KernelFileError(.read, path, errno: errno)
        if !failure.isMissing { fail(failure) }
        return false
    }

    /// Keeps that a group lies too deep.
    func refuse(_ mount: String, _ components: [String]) {
        fail(
            KernelFileError(
                .read, "\(mount)/\(components.joined(separator: "/"))", errno: 0,
                detail: "it lies \(components.count) levels deep, and no more than \(GuestCgroup.deepestLevel) are "
                    + "looked at"))
    }

    /// More of a path tells a reader no more, and a path may be 4096 bytes long.
    private static let longestPath = 256

    private func fail(_ error: KernelFileError) {
        var error = error
        error.path = error.path.cut(toBytes: Self.longestPath)
        failures.append(error)
    }
}

/// A process's place in one hierarchy.
private struct Place {
    let isUnified: Bool
    /// Of the process's group, below the mount point.
    let components: [String]
    private let reader: CgroupReader
    /// How many of ``components`` lead to the group of all the guest's threads.
    private let depth: Int
    /// That group's folder, behind those of all groups above it, from the mount point down.
    private let folders: [String]

    init(_ mount: String, _ components: [String], isUnified: Bool, _ reader: CgroupReader) {
        self.reader = reader
        self.components = components
        self.isUnified = isUnified
        depth = components.count - (components.last.map(Self.isPartOfGuest) == true ? 1 : 0)
        var folders = [mount]
        for component in components.prefix(depth) { folders.append("\(folders[folders.count - 1])/\(component)") }
        self.folders = folders
    }

    private static func isPartOfGuest(_ name: String) -> Bool {
        if name == "emulator" { return true }
        let bytes = Array(name.utf8)
        return ["vcpu", "iothread"].contains { prefix in
            let digits = bytes.dropFirst(prefix.utf8.count)
            return name.hasPrefix(prefix) && !digits.isEmpty && digits.allSatisfy { $0.isDigit }
        }
    }

    private func group(_ depth: Int) -> Cgroup { Cgroup(folder: folders[depth], reader: reader) }

    /// The group that competes with other guests' groups: `libvirt` inside a scope is alone there.
    var unit: Cgroup {
        let isAlone = depth > 1 && components[depth - 1] == "libvirt" && components[depth - 2].hasSuffix(".scope")
        return group(isAlone ? depth - 1 : depth)
    }

    /// The least of what the guest's own groups say.
    func tightest<Amount: Comparable>(_ limit: (Cgroup) -> Amount?) -> Amount? {
        var least: Amount?
        var depth = depth
        repeat {
            if let amount = limit(group(depth)) { least = least.map { min($0, amount) } ?? amount }
            depth -= 1
        } while depth > 0 && !components[depth - 1].hasSuffix(".slice")
        return least
    }

    /// The least of what all groups up to the root say.
    func least<Amount: Comparable>(_ limit: (Cgroup) -> Amount?) -> Amount? {
        groups.compactMap(limit).min()
    }

    /// What all groups up to the root say.
    func limits(_ file: String) -> [GuestLimits.MemoryLimit] {
        groups.compactMap { group in
            group.memory(file).map { GuestLimits.MemoryLimit(file: "\(group.folder)/\(file)", amount: $0) }
        }
    }

    /// The group of all the guest's threads, and all above.
    private var groups: [Cgroup] { folders.indices.reversed().map { group($0) } }

    /// What the virtual CPUs together may take where libvirt limits each.
    var quotaOfVirtualCPUs: Double? {
        guard components.last == "emulator" else { return nil }
        var sum: Double?
        for number in 0..<4096 {
            let cpu = Cgroup(folder: "\(folders[depth])/vcpu\(number)", reader: reader)
            guard reader.exists(cpu.folder) else { break }
            guard let quota = cpu.quota(isUnified) else { return nil }
            sum = (sum ?? 0) + quota
        }
        return sum
    }
}

private struct Cgroup {
    let folder: String
    let reader: CgroupReader

    /// - Returns: `nil` for no limit, and for a file that is not there or cannot be read.
    func limit(_ file: String) -> Int64? {
        guard let text = read(file), let number = DecimalField(text.span, at: 0) else { return nil }
        // Version 1 says "no limit" as the largest number of whole pages.
        return number.value < 1 << 62 ? number.value : nil
    }

    func memory(_ file: String) -> Bytes? { limit(file).map { Bytes($0) } }

    /// In CPUs.
    func quota(_ isUnified: Bool) -> Double? {
        var quota: Int64?
        var period: Int64?
        if isUnified {
            // `max 100000` or `50000 100000`.
            guard let text = read("cpu.max"), let first = DecimalField(text.span, at: 0) else { return nil }
            quota = first.value
            period = DecimalField(text.span, at: first.end + 1)?.value
        } else {
            // -1 for none.
            quota = limit("cpu.cfs_quota_us")
            period = limit("cpu.cfs_period_us")
        }
        guard let quota, let period, period > 0 else { return nil }
        return Double(quota) / Double(period)
    }

    /// A line `name number` of a file.
    func count(_ name: String, in file: String) -> Int64? {
        guard let text = read(file) else { return nil }
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count == 2, words[0].elementsEqual(name.utf8) else { continue }
            return DecimalField(Array(words[1]).span, at: 0)?.value
        }
        return nil
    }

    private func read(_ file: String) -> [UInt8]? { reader.read("\(folder)/\(file)") }
}
