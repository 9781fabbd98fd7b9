import ArgumentParser
import Charts
import Glibc
import HostKernel
import KSMPolicy

/// Standard output and standard error.
enum Output {
    /// That a reader has gone, as in `ksmctl history | head`, is no failure, and what was found still is the exit status.
    ///
    /// - Returns: Whether somebody reads.
    /// - Throws: ``Refusal`` where the text could not be written as a whole.
    @discardableResult static func write(_ text: String) throws -> Bool {
        do throws(KernelFileError) {
            try StandardStream.output.write(text)
            return true
        } catch {
            if error.isBrokenPipe { return false }
            throw Refusal("\(error)", .output)
        }
    }

    /// Puts a new file, which everybody may read, in the place of one that the user named: a reader sees the old text or
    /// the new one, never a part.
    ///
    /// A device or a pipe stays, and is written to. A link is refused, but for `/dev/stdout` and `/dev/stderr`: in a folder
    /// that others may write to somebody could have it lead to any file of whoever runs this.
    static func replace(_ file: String, with text: String) throws {
        var status = stat()
        if unsafe lstat(file, &status) == 0, status.st_mode & S_IFMT != S_IFREG { return try fill(file, with: text) }
        let aside = "\(HostFile.hiddenName(of: file)).\(getpid())"
        do throws(KernelFileError) {
            // Of a process that was killed and had the same number.
            _ = unsafe unlink(aside)
            let descriptor = try FileDescriptor(
                opening: aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644, for: .create)
            do throws(KernelFileError) {
                try descriptor.writeAll(text.utf8.span, path: aside)
                guard fchmod(descriptor.number, 0o644) == 0 else {
                    throw KernelFileError(.write, aside, errno: errno)
                }
                guard unsafe rename(aside, file) == 0 else {
                    throw KernelFileError(.replace, file, errno: errno)
                }
            } catch {
                _ = unsafe unlink(aside)
                throw error
            }
        } catch {
            var failure = error
            failure.path = file
            throw Refusal("\(failure)", failure.isDenied ? .notPermitted : .output)
        }
    }

    /// Whoever has a pipe open to read has this much time to take all.
    private static let patience = Duration.seconds(5)

    /// Writes to a device or a pipe.
    private static func fill(_ file: String, with text: String) throws {
        do throws(KernelFileError) {
            switch file {
            // Opened by their names, a file would be written to from its beginning, and a socket not at all.
            case "/dev/stdout": return try StandardStream.output.write(text)
            case "/dev/stderr": return try StandardStream.error.write(text)
            default: break
            }
            // A pipe that nobody reads is not waited for.
            let pipe = try FileDescriptor(
                openingNoLink: file, O_WRONLY | O_NONBLOCK, mode: 0, for: .open, advice: "name the file itself")
            try pipe.writeAll(text.utf8.span, path: file, patience: patience)
        } catch {
            throw Refusal("\(error)", error.isDenied ? .notPermitted : .output)
        }
    }

    /// Says something on standard error, in one line.
    static func warn(_ text: String) {
        try? StandardStream.error.write("ksmctl: \(text.printable)\n")
    }

    /// Below a report, a line each.
    static func notes(_ notes: [String], _ style: Style) -> String {
        notes.map { style.warning("Note:") + " \($0.printable)\n" }.joined()
    }

    /// Says on standard error what is wrong with a file, each with its place.
    static func report(_ diagnostics: [Diagnostic]) {
        for diagnostic in diagnostics { try? StandardStream.error.write("\(diagnostic)\n") }
    }
}
