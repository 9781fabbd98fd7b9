/// The files under `/sys/kernel/mm/ksm`, by the kernel's own names; see
/// `Documentation/admin-guide/mm/ksm.rst`.
package enum KSMFile: Int, CaseIterable, Sendable {
    /// 0 stopped, 1 running, 2 stopped and unmerged.
    case run
    case pagesToScan
    case sleepMilliseconds
    case advisorMode
    case advisorTargetScanTime
    case advisorMaxCPU
    case advisorMinPagesToScan
    case advisorMaxPagesToScan
    case mergeAcrossNodes
    case maxPageSharing
    case useZeroPages
    case smartScan
    /// Only in kernels before 2.6.33.
    case maxKernelPages

    // Counters.

    case fullScans
    case pagesShared
    case pagesSharing
    case pagesUnshared
    case pagesVolatile
    case pagesScanned
    case pagesSkipped
    case zeroPages
    /// Bytes that merging saves less those that KSM takes for it; can be negative.
    case generalProfit
    case stableNodeChains
    case stableNodeDuplicates

    /// Whether it is read only, and tells what KSM did.
    package var isCounter: Bool { rawValue >= Self.fullScans.rawValue }

    package var name: String {
        switch self {
        case .run: "run"
        case .pagesToScan: "pages_to_scan"
        case .sleepMilliseconds: "sleep_millisecs"
        case .advisorMode: "advisor_mode"
        case .advisorTargetScanTime: "advisor_target_scan_time"
        case .advisorMaxCPU: "advisor_max_cpu"
        case .advisorMinPagesToScan: "advisor_min_pages_to_scan"
        case .advisorMaxPagesToScan: "advisor_max_pages_to_scan"
        case .mergeAcrossNodes: "merge_across_nodes"
        case .maxPageSharing: "max_page_sharing"
        case .useZeroPages: "use_zero_pages"
        case .smartScan: "smart_scan"
        case .maxKernelPages: "max_kernel_pages"
        case .fullScans: "full_scans"
        case .pagesShared: "pages_shared"
        case .pagesSharing: "pages_sharing"
        case .pagesUnshared: "pages_unshared"
        case .pagesVolatile: "pages_volatile"
        case .pagesScanned: "pages_scanned"
        case .pagesSkipped: "pages_skipped"
        case .zeroPages: "ksm_zero_pages"
        case .generalProfit: "general_profit"
        case .stableNodeChains: "stable_node_chains"
        case .stableNodeDuplicates: "stable_node_dups"
        }
    }
}

/// Some of the files.
package struct KSMFileSet: Equatable, Sendable {
    private var bits: UInt32 = 0

    package init() {}

    package func contains(_ file: KSMFile) -> Bool { bits & 1 << UInt32(file.rawValue) != 0 }

    package mutating func insert(_ file: KSMFile) { bits |= 1 << UInt32(file.rawValue) }

    package func union(_ other: KSMFileSet) -> KSMFileSet {
        var both = self
        both.bits |= other.bits
        return both
    }
}
