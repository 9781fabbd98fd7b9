import HostInspection
import HostKernel
import KSMPolicy

/// A program that writes KSM's files, by its `comm`.
enum OtherWriter: String, CaseIterable {
    case tuned
    case momd
    case vdsm
    case vdsmd
    case uksmd
    case throttler = "ksm-throttler"
    case harvester = "harvester-node-"
    case virtHandler = "virt-handler"
    /// The original, or one that does not hold this daemon's lock.
    case ksmtuned

    var deed: String {
        switch self {
        case .tuned: "its profile writes or switches off KSM"
        case .momd, .vdsm, .vdsmd: "oVirt sets KSM by a policy of its own"
        case .uksmd: "it switches KSM on at its start and unmerges at its end"
        case .throttler: "Kata's throttler sets KSM's pace"
        case .harvester: "Harvester sets KSM by a policy of its own"
        case .virtHandler: "KubeVirt sets KSM on nodes that it is configured for"
        case .ksmtuned: "another ksmtuned decides too"
        }
    }

    var remedy: String {
        switch self {
        case .tuned: "choose another profile with tuned-adm profile, or stop ksmtuned"
        case .momd: "systemctl disable --now mom-vdsm, or stop ksmtuned"
        case .vdsm, .vdsmd: "stop ksmtuned: oVirt's hosts are tuned by oVirt"
        case .uksmd: "systemctl disable --now uksmd"
        case .throttler: "systemctl disable --now kata-ksm-throttler"
        case .harvester: "leave this node's KSM to Harvester, or set its Ksmtuned resource to stop"
        case .virtHandler: "remove ksmConfiguration from the KubeVirt resource"
        case .ksmtuned: "end it, and keep the one that systemd runs"
        }
    }
}

extension HostView {
    /// Who may have written `run` beside the daemon, as far as the host shows: programs that run, and lines of files
    /// that have it written at boot or by the clock.
    ///
    /// - Parameter failures: Receives the error of each file that could not be read, and may name others.
    func runWriters(_ failures: inout [KernelFileError]) -> [String] {
        let names = OtherWriter.allCases.map { $0.rawValue }
        var survey = ProcessSurvey()
        do throws(KernelFileError) {
            survey = try ProcessSurvey(paths, configuration, writerNames: names)
        } catch {
            failures.append(error)
        }
        failures += survey.failures
        var profile: TunedProfile?
        do throws(KernelFileError) {
            profile = try TunedProfile.read(paths)
        } catch {
            failures.append(error)
        }
        let programs = survey.writers.filter { process in
            if case .running(let pid) = daemon, process.pid == pid || process.parent == pid { return false }
            // TuneD writes what its profile names.
            return process.comm != OtherWriter.tuned.rawValue || profile?.mention != nil
        }
        let files = BootWriter.find(paths, &failures).filter { $0.file == nil || $0.file == KSMFile.run.name }
        return programs.map { "\($0.comm) (process \($0.pid))" } + files.map { "\($0.path) (\($0.line))" }
    }
}
