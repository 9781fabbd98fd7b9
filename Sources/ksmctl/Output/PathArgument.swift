import ArgumentParser

/// A file or a folder that the user names on the command line.
enum PathArgument {
    /// - Throws: `ValidationError` for an empty one, as a variable of a script gives that is not set: as a root it would
    ///   mean the host itself, and as a file nothing.
    static func path(_ text: String) throws -> String {
        guard !text.isEmpty else { throw ValidationError("it is empty: name a path, or leave the option out") }
        return text
    }
}
