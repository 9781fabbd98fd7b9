package import HostKernel
package import KSMPolicy

/// Everything that the kernel says of KSM at one moment, for programs that look once. `nil` is a file that this kernel
/// does not have; one that is there and could not be read is in ``failures``.
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
    /// How it is scheduled, as far as that is known.
    package var scheduling: Scheduling?
    /// Of each file that is there and could not be read, why: what it holds is not known.
    package var failures: [KSMFile: KernelFileError] = [:]

    /// Why ksmd's times could not be read, or ksmd not be found.
    package var threadFailure: KernelFileError?

    /// That of the first such file.
    package var failure: KernelFileError? { KSMFile.allCases.lazy.compactMap { failures[$0] }.first }

    package init(_ paths: HostPaths) {
        let directory = KSMDirectory(paths)
        var failures: [KSMFile: KernelFileError] = [:]
        func read<Value>(_ file: KSMFile, _ body: () throws(KernelFileError) -> Value?) -> Value? {
            do throws(KernelFileError) {
                return try body()
            } catch {
                failures[file] = error
                return nil
            }
        }
        func value(_ file: KSMFile) -> Int64? {
            read(file) { () throws(KernelFileError) in try directory.readAsIs(file) }
        }
        run = value(.run)
        pagesToScan = value(.pagesToScan)
        sleepMilliseconds = value(.sleepMilliseconds)
        advisorMode = read(.advisorMode) { () throws(KernelFileError) in try directory.readAdvisorMode() }
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
        do throws(KernelFileError) {
            let thread = try KSMThread(paths)
            let times = try thread?.times()
            cpu = times?.cpu
            waited = times?.waited
            // Of a tree too: it is only looked at.
            scheduling = try thread?.scheduling()?.scheduling
        } catch {
            threadFailure = error
        }
        self.failures = failures
    }

    /// Whether this kernel has KSM.
    package var isPresent: Bool { run != nil || failure != nil }

    /// What merging saves; `nil` where it cannot be told.
    package var savedPages: Pages? {
        guard let pagesSharing, failures[.zeroPages] == nil else { return nil }
        return Pages(pagesSharing) + Pages(zeroPages ?? 0)
    }

    /// Why it cannot be told; `nil` where it can, or this kernel does not count it.
    package var savedFailure: KernelFileError? { failures[.pagesSharing] ?? failures[.zeroPages] }
}
