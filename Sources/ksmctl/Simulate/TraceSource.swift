import ArgumentParser
import Glibc
import HostKernel
import KSMAnalysis
import KSMPolicy

/// Where the samples come from: the daemon's history, a file, or standard input.
struct TraceSource {
    /// The path, or `standard input`.
    let name: String
    let isHistory: Bool
    let trace: Trace

    /// More is no trace: a year of one sample a minute is 100 MiB with all columns.
    private static var limit: Int { 256 << 20 }

    /// - Parameter file: `-` is standard input, `nil` the history.
    /// - Throws: ``Refusal`` where there is none; the errors of a bad trace are printed.
    init(_ file: String?, _ paths: HostPaths) throws {
        isHistory = file == nil
        switch file {
        case nil:
            name = paths.history
            trace = Trace(
                history: try HistoryReader.records(
                    paths, alternative: ", or give the samples of another host with --trace"))
        case "-":
            name = "standard input"
            let bytes = try FileDescriptor(adopting: 0).readToEnd(limit: Self.limit, path: name)
            trace = try Self.parse(bytes, name, paths)
        case let file?:
            name = file
            let bytes: [UInt8]
            do throws(KernelFileError) {
                // It may be a pipe, which another program fills.
                bytes = try FileDescriptor(opening: file, O_RDONLY, for: .read)
                    .readToEnd(limit: Self.limit, path: file)
            } catch {
                throw Refusal("\(error): name a trace that can be read", error.isDenied ? .notPermitted : .data)
            }
            trace = try Self.parse(bytes, name, paths)
        }
    }

    private static func parse(_ bytes: [UInt8], _ name: String, _ paths: HostPaths) throws -> Trace {
        do throws(BadTrace) {
            return try TraceFile.parse(bytes, named: name, total: (try? MemoryReader(paths).total()) ?? nil)
        } catch {
            Output.report(error.diagnostics)
            throw ExitCode(Refusal.Status.data.rawValue)
        }
    }

    /// The greatest that the host had, which the settings' arithmetic must fit.
    var greatestTotal: KiB { trace.records.map { $0.total }.max() ?? .zero }

    /// Whether the times are since 1970, so that they have a date; a trace by hand may begin at 0.
    var hasDates: Bool { (trace.records.first?.time.wholeSeconds ?? 0) >= 100_000_000 }
}
