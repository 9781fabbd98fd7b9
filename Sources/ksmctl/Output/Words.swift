import HostInspection

/// Words that several results need.
enum Words {
    /// `1 guest`, `2 guests`.
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    /// More names of guests than this are no more use than their number.
    private static let mostNames = 8

    /// `a, b, c and 4 more`.
    static func list(_ names: [String]) -> String {
        guard names.count > mostNames else { return names.joined(separator: ", ") }
        return names.prefix(mostNames).joined(separator: ", ") + " and \(names.count - mostNames) more"
    }

    /// `web (1234), db (1235)`.
    static func list(_ guests: [GuestDetails]) -> String { list(guests.map { "\($0.name) (\($0.pid))" }) }
}
