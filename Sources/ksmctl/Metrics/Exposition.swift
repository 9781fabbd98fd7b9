import KSMPolicy

/// Metrics in Prometheus' text format: each family with its HELP and TYPE, then its samples.
///
/// See "Exposition formats" in Prometheus' documentation.
struct Exposition {
    private(set) var text = ""

    enum Kind: String {
        case gauge
        case counter
    }

    struct Sample {
        var labels: [(name: String, value: String)] = []
        var value: Double
    }

    /// Adds a family; one without samples is left out, since what is not known has no value.
    ///
    /// - Parameter name: Behind the prefix that all of them have, `ksmtuned_`.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        let name = "ksmtuned_" + name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples { text += name + Self.text(sample.labels) + " \(Self.text(sample.value))\n" }
    }

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double?) {
        add(name, kind, help, value.map { [Sample(value: $0)] } ?? [])
    }

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Int64?) {
        add(name, kind, help, value.map { Double($0) })
    }

    private static func text(_ labels: [(name: String, value: String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",") + "}"
    }

    /// What terminals would act on is shown as in all other output; the format itself asks for three escapes. By scalars: a
    /// quote with a combining mark behind it is another character, and ends the value all the same.
    private static func escaped(_ value: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in value.printable.unicodeScalars {
            if scalar == "\\" || scalar == "\"" { text.append("\\") }
            text.append(scalar)
        }
        return String(text)
    }

    /// Whole numbers without a fraction, so that the file reads as `/proc` does.
    private static func text(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? String(value)
    }
}
