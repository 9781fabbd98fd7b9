/// The files under `/sys/kernel/mm/ksm`, by the kernel's own names; see
/// `Documentation/admin-guide/mm/ksm.rst`.
package enum KSMFile: String, CaseIterable, Sendable {
    /// 0 stopped, 1 running, 2 stopped and unmerged.
    case run
    case pagesToScan = "pages_to_scan"
    case sleepMilliseconds = "sleep_millisecs"
    case advisorMode = "advisor_mode"
    case pagesSharing = "pages_sharing"
    case zeroPages = "ksm_zero_pages"
    /// Only in kernels before 2.6.33.
    case maxKernelPages = "max_kernel_pages"

    package var name: String { rawValue }

    /// The place among all cases.
    var index: Int {
        switch self {
        case .run: 0
        case .pagesToScan: 1
        case .sleepMilliseconds: 2
        case .advisorMode: 3
        case .pagesSharing: 4
        case .zeroPages: 5
        case .maxKernelPages: 6
        }
    }
}

/// Who sets the pace of ksmd: since Linux 6.8 the kernel can do it itself.
package enum AdvisorMode: String, Sendable {
    case none
    case scanTime = "scan-time"

    package var word: String { rawValue }
}
