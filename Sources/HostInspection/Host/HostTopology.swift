/// How many of its parts the host has. `nil` is what its kernel does not tell.
package struct HostTopology: Equatable, Sendable {
    /// CPUs that are switched on.
    package var cpus: Int?
    /// NUMA nodes with memory of their own. A kernel without NUMA tells none.
    package var memoryNodes: Int?

    package init(cpus: Int? = nil, memoryNodes: Int? = nil) {
        self.cpus = cpus
        self.memoryNodes = memoryNodes
    }
}
