internal import CLinux

/// The command line, as the kernel gave it to this process.
///
/// The standard library's own way to it can fail in silence, as where /proc is not mounted, and then says that there are no
/// arguments: a daemon that was told `--root` or `--dry-run` would act on the real host.
package enum ProgramArguments {
    package enum Failure: Error, Equatable, Sendable {
        /// Not even the program's name is there.
        case lost
        /// The argument of this number, from 1, is no UTF-8. To mend it would name another file.
        case notText(Int)
    }

    /// - Returns: The program's name, then its arguments.
    package static func read() throws(Failure) -> [String] {
        var count: Int32 = 0
        guard let vector = unsafe linux_arguments(&count), count > 0 else { throw .lost }
        var arguments: [String] = []
        for index in 0..<Int(count) {
            guard let text = unsafe vector[index] else { throw .lost }
            guard let argument = unsafe String(validatingCString: text) else { throw .notText(index) }
            arguments.append(argument)
        }
        // The kernel puts an empty name in the place of none.
        guard arguments.first?.isEmpty == false else { throw .lost }
        return arguments
    }
}

extension ProgramArguments.Failure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .lost: "the command line is empty, without even the program's name, so what it was to do is not known"
        case .notText(let number): "argument \(number) is not UTF-8"
        }
    }
}
