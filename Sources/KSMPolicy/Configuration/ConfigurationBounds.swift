/// How much a configuration may hold. More is an error at its place, so that no text can take a daemon's memory or time:
/// one that runs keeps the configuration that it had.
package enum ConfigurationBounds {
    /// The bytes of all files together.
    package static let text = 1 << 20
    /// The files of the drop-in folder.
    package static let dropIns = 100
    /// The assignments of all files together, of which each can hold a whole value.
    package static let assignments = 1000
    /// The assignments on one line.
    package static let assignmentsOnLine = 100
    /// The bytes of a name.
    package static let name = 255
    /// The bytes of a value with all names in it expanded: as long as a path may be.
    package static let value = 4096
    /// The errors and warnings that are reported one by one.
    package static let messages = 100
}
