package import HostKernel
package import KSMPolicy

/// Everything that the kernel says of KSM at one moment, for programs that look once. `nil` is a file that this kernel
/// does not have, or that could not be read.
package struct KSMSnapshot: Equatable, Sendable {
    package var run: Int64?
    package var pagesToScan: Int64?
    package var sleepMilliseconds: Int64?
    package var advisorMode: AdvisorMode?
    package var mergeAcrossNodes: Int64?
    package var maxPageSharing: Int64?
    package var useZeroPages: Int64?
    package var smartScan: Int64?
    package var fullScans: Int64?
    package var pagesShared: Int64?
    package var pagesSharing: Int64?
    package var pagesUnshared: Int64?
    package var pagesVolatile: Int64?
    package var pagesScanned: Int64?
    package var pagesSkipped: Int64?
    package var zeroPages: Int64?
    /// In bytes; can be negative.
    package var generalProfit: Int64?
    package var stableNodeChains: Int64?
    package var stableNodeDuplicates: Int64?
    /// ksmd's time on a CPU since boot, and waiting for one, as far as it is known.
    package var cpu: Duration?
    package var waited: Duration?
    /// The first file that was there and could not be read.
    package var failure: KernelFileError?

    package init(_ paths: HostPaths) {
        let directory = KSMDirectory(paths)
        var failure: KernelFileError?
        func value(_ file: KSMFile) -> Int64? {
            do throws(KernelFileError) {
                return try directory.read(file)
            } catch {
                failure = failure ?? error
                return nil
            }
        }
        run = value(.run)
        pagesToScan = value(.pagesToScan)
        sleepMilliseconds = value(.sleepMilliseconds)
        advisorMode = (try? directory.readAdvisorMode()) ?? nil
        mergeAcrossNodes = value(.mergeAcrossNodes)
        maxPageSharing = value(.maxPageSharing)
        useZeroPages = value(.useZeroPages)
        smartScan = value(.smartScan)
        fullScans = value(.fullScans)
        pagesShared = value(.pagesShared)
        pagesSharing = value(.pagesSharing)
        pagesUnshared = value(.pagesUnshared)
        pagesVolatile = value(.pagesVolatile)
        pagesScanned = value(.pagesScanned)
        pagesSkipped = value(.pagesSkipped)
        zeroPages = value(.zeroPages)
        generalProfit = value(.generalProfit)
        stableNodeChains = value(.stableNodeChains)
        stableNodeDuplicates = value(.stableNodeDuplicates)
        let times = KSMThread(paths)?.times()
        cpu = times?.cpu
        waited = times?.waited
        self.failure = failure
    }

    /// Whether this kernel has KSM.
    package var isPresent: Bool { run != nil || failure != nil }

    /// What merging saves; `nil` where it cannot be told.
    package var savedPages: Pages? { pagesSharing.map { Pages($0) + Pages(zeroPages ?? 0) } }
}
