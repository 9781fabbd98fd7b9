import FuzzTargets
import Glibc

/// The reader that the environment names, made when the first input comes.
private struct Chosen {
    let target: FuzzTarget
    let read: FuzzTarget.Reader

    init() {
        let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
        guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
            fatalError("FUZZ_TARGET=\(name) is no target")
        }
        self.target = target
        read = target.make()
    }
}

nonisolated(unsafe) private var chosen: Chosen?

/// Called by libFuzzer with one input after the other, on one thread.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if unsafe chosen == nil { unsafe chosen = Chosen() }
    do {
        try unsafe chosen!.read(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(error)")
    }
    return 0
}

/// Prints the targets with the length of their inputs, for who starts them.
@_cdecl("LLVMFuzzerInitialize")
public func initializeFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>>>
) -> CInt {
    guard unsafe getenv("FUZZ_TARGET") == nil else { return 0 }
    for target in FuzzTarget.all { print(target.name, target.longest) }
    exit(0)
}
