/// One `NAME=value` with its place.
package struct Assignment: Equatable, Sendable {
    package var name: String
    package var value: String
    package var origin: Origin

    package init(name: String, value: String, origin: Origin) {
        self.name = name
        self.value = value
        self.origin = origin
    }
}
