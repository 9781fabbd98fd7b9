import KSMPolicy

/// A reader that is given any bytes, and what must hold whatever they are.
///
/// That it ends without a crash, in time and within its memory is watched from outside, by the fuzzer and by the test
/// that replays the corpus. What else must hold, it says itself by throwing ``BrokenProperty``.
package struct FuzzTarget: Sendable, CustomStringConvertible {
    /// Also that of its folder in the corpus.
    package var name: String
    /// Inputs are not longer than this, in bytes: what one read of the program's own takes, or a few times the longest
    /// that is not refused.
    package var longest: Int
    /// Makes what takes one input after the other. It may keep a folder for as long as it lives.
    package var make: @Sendable () -> Reader

    package typealias Reader = (_ input: [UInt8]) throws -> Void

    package init(_ name: String, longest: Int = 4096, _ make: @escaping @Sendable () -> Reader) {
        self.name = name
        self.longest = longest
        self.make = make
    }

    package var description: String { name }

    package static var all: [FuzzTarget] {
        kernelTexts + configurations + commandLines + records + hostFiles + ticks
    }
}

/// Something that must hold for every input does not hold for this one.
package struct BrokenProperty: Error, CustomStringConvertible {
    package var description: String
}

func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    if !condition { throw BrokenProperty(description: what()) }
}

/// What a program shows must hold nothing that a terminal would act on.
func requirePrintable(_ text: String) throws {
    try require(
        text.unicodeScalars.allSatisfy { $0 == "\n" || !$0.isInvisible },
        "a terminal would act on \(text.debugDescription)")
}
