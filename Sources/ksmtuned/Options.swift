import KSMPolicy

/// The command line.
struct Options: Equatable {
    enum Task: Equatable {
        case run
        case checkConfiguration
        case showVersion
        case showHelp
    }

    var task = Task.run
    var root: String { givenRoot ?? "/" }
    private var givenRoot: String?
    /// `nil` is the host's own, under the root.
    var configuration: String?
    var isDryRun = false
    var isOnce = false
    var isDebugging = false

    /// What is wrong with a command line.
    struct Refusal: Error, Equatable, CustomStringConvertible {
        var message: String

        var description: String { message }
    }

    init() {}

    /// - Parameter arguments: Without the program's name.
    init(parsing arguments: [String]) throws(Refusal) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            var name = argument
            var attached: String?
            if argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") {
                name = String(argument[..<equals])
                attached = String(argument[argument.index(after: equals)...])
            }
            switch name {
            case "--config": try Self.set(&configuration, name, Self.value(name, attached, &rest))
            case "--root": try Self.set(&givenRoot, name, Self.value(name, attached, &rest))
            case "--check-config":
                try set(.checkConfiguration)
                if attached != nil || rest.first?.hasPrefix("-") == false {
                    try Self.set(&configuration, name, Self.value(name, attached, &rest))
                }
            case _ where attached != nil && Self.isSwitch(name):
                throw Refusal(message: "\(name) takes no value")
            case "--dry-run": isDryRun = true
            case "--once": isOnce = true
            case "--debug": isDebugging = true
            case "--version": try set(.showVersion)
            case "--help", "-h": try set(.showHelp)
            default:
                let kind = argument.hasPrefix("-") ? "option" : "argument"
                throw Refusal(message: "unknown \(kind) '\(argument.printable)'")
            }
        }
    }

    /// One of two values would be lost, and it may be the one that keeps this from the real host.
    private static func set(_ option: inout String?, _ name: String, _ value: String) throws(Refusal) {
        if let earlier = option, earlier != value {
            let both = "\(name) names \(value.printable), and an option before it \(earlier.printable)"
            throw Refusal(message: both + ": leave one out")
        }
        option = value
    }

    private mutating func set(_ task: Task) throws(Refusal) {
        guard self.task == .run || self.task == task else {
            throw Refusal(message: "--check-config, --version and --help exclude each other: leave all but one out")
        }
        self.task = task
    }

    private static func isSwitch(_ name: String) -> Bool {
        switch name {
        case "--dry-run", "--once", "--debug", "--version", "--help": true
        default: false
        }
    }

    private static func value(
        _ name: String, _ attached: String?, _ rest: inout ArraySlice<String>
    ) throws(Refusal) -> String {
        guard let value = attached ?? rest.popFirst(), !value.isEmpty else {
            throw Refusal(message: "\(name) needs a value")
        }
        return value
    }

    static let help = """
        Usage: ksmtuned [OPTION]...
        Tunes Kernel Samepage Merging by the host's memory and its guests.

          --config FILE          read FILE and FILE.d/*.conf, not /etc/ksmtuned.conf
          --root DIR             take every path of the host under DIR
          --dry-run              decide and print what would be written; write nothing
          --once                 decide once, then exit
          --debug                log each step, as DEBUG=1 does
          --check-config [FILE]  report what is wrong with the configuration, then exit
          --version              show the version, then exit
          --help                 show this text, then exit

        Signals: USR1 decides now, HUP reloads the configuration, TERM and INT end.
        See ksmtuned(8) and ksmtuned.conf(5).

        """
}
