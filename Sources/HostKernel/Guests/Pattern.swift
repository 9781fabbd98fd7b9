internal import Glibc

/// A POSIX extended regular expression; see regex(7).
@safe package struct Pattern: ~Copyable {
    private let compiled: UnsafeMutablePointer<regex_t>

    package struct Refusal: Error, Equatable, Sendable {
        /// As regerror(3) says it, or why it is not compiled at all.
        package var reason: String
        /// Whether it is an expression that regcomp(3) might take, but at too great a cost.
        package var isTooCostly = false
    }

    /// - Throws: ``Refusal``, also for what would take more time or memory to compile than ``PatternCost`` allows.
    package init(_ text: String) throws(Refusal) {
        if let reason = PatternCost(text).refusal { throw Refusal(reason: reason, isTooCostly: true) }
        let compiled = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        let code = unsafe regcomp(compiled, text, REG_EXTENDED | REG_NOSUB)
        guard code == 0 else {
            var message = [UInt8](repeating: 0, count: 128)
            let length = unsafe message.withUnsafeMutableBytes { message in
                unsafe regerror(code, compiled, message.baseAddress, message.count)
            }
            unsafe compiled.deallocate()
            throw Refusal(reason: String(decoding: message.prefix(max(length - 1, 0)), as: UTF8.self))
        }
        unsafe self.compiled = compiled
    }

    deinit {
        unsafe regfree(compiled)
        unsafe compiled.deallocate()
    }

    package borrowing func matches(_ text: Span<UInt8>) -> Bool {
        var terminated = [CChar]()
        terminated.reserveCapacity(text.count + 1)
        for index in text.indices { terminated.append(CChar(bitPattern: text[index])) }
        terminated.append(0)
        return unsafe regexec(compiled, terminated, 0, nil, 0) == 0
    }
}
