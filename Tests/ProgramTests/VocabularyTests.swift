import Foundation
import KSMAnalysis
import Testing

/// One quantity has one name in everything that other programs read: JSON, CSV and the state file.
@Suite struct VocabularyTests {
    /// A property of a schema, with the places that hold it.
    private struct Property {
        var place: String
        var name: String
        var type: String
        var description: String
    }

    private static let schemas = [
        "doctor", "explain", "guests", "history", "plan", "show-config", "simulate", "status", "unmerge",
    ]

    private static func properties(_ schema: String) throws -> [Property] {
        let text = try SourceTree.text("schema/\(schema).json")
        let root = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        return properties(of: root, place: schema)
    }

    private static func properties(of schema: [String: Any], place: String) -> [Property] {
        var found: [Property] = []
        for (name, value) in schema["properties"] as? [String: [String: Any]] ?? [:] {
            found.append(
                Property(
                    place: place, name: name, type: type(value), description: value["description"] as? String ?? ""))
            found += properties(of: value, place: "\(place).\(name)")
        }
        if let items = schema["items"] as? [String: Any] { found += properties(of: items, place: place + "[]") }
        for (name, value) in schema["$defs"] as? [String: [String: Any]] ?? [:] {
            found += properties(of: value, place: "\(place)#\(name)")
        }
        return found
    }

    private static func type(_ schema: [String: Any]) -> String {
        if let type = schema["type"] as? String { return type }
        if schema["$ref"] != nil { return "object" }
        return schema["const"] is NSNumber ? "integer" : "string"
    }

    private static func all() throws -> [Property] { try schemas.flatMap { try properties($0) } }

    /// What each name means, wherever it stands: how its description begins. Of a guest and of a plan some are the
    /// guest's own or the plan's.
    private static let meanings = [
        "schema_version": "Raised when a key changes its meaning or goes;",
        "command": "The subcommand.",
        "action": "What KSM is ordered to do.",
        "policy": "Who decided: KSM_POLICY=.",
        "reason": "Which branch of the policy decided,",
        "sentence": "The decision and its reason,",
        "age_seconds": "Since the decision.",
        "time_seconds": "When it was looked or decided,",
        "total_bytes": "The host's memory: MemTotal.",
        "available_bytes": "The kernel's estimate of what can be had without swapping: MemAvailable.",
        "free_bytes": "Free memory by KSM_FREE_METRIC=.",
        "committed_bytes": "What the guests hold together by KSM_PS_METRIC=.",
        "threshold_bytes": "The reserve that free memory is compared with.",
        "saved_bytes": "What merging saves: pages_sharing and ksm_zero_pages.",
        "profit_bytes": "general_profit:",
        "pages_to_scan": "Pages per scan.",
        "sleep_millisecs": "ksmd's sleep between two scans.",
        "ksmd_cpu_percent": "The share of one CPU that ksmd took.",
        "ksmd_cpu_seconds": "ksmd's time on a CPU since boot.",
        "full_scans": "Passes over all mergeable memory.",
        "pages_shared": "Pages that stand for several.",
        "pages_sharing": "Pages for which a shared one stands:",
        "pages_unshared": "Pages that were compared and are like no other.",
        "pages_volatile": "Pages seen once,",
        "ksm_zero_pages": "Pages that became the kernel's zero page.",
        "pages_skipped": "Pages that smart_scan passed over, since boot.",
        "pages_scanned": "Pages that ksmd looked at, since boot.",
    ]

    /// What a guest's and a plan's schema may use for an amount of their own.
    private static let ownMeanings = ["guests": ["profit_bytes"], "plan": ["saved_bytes"]]

    @Test func `A name has one type in all schemas`() throws {
        // A guest is one of several, or their number.
        let exceptions: Set = ["guests", "decision", "decisions"]
        for (name, found) in Dictionary(grouping: try Self.all(), by: { $0.name }) where !exceptions.contains(name) {
            let types = Set(found.map { $0.type })
            #expect(types.count == 1, "\(name) is \(types.sorted()) in \(found.map { $0.place })")
        }
    }

    @Test func `A name means one thing in all schemas`() throws {
        for schema in Self.schemas {
            for property in try Self.properties(schema) {
                guard let meaning = Self.meanings[property.name] else { continue }
                if Self.ownMeanings[schema, default: []].contains(property.name) { continue }
                #expect(property.description.hasPrefix(meaning), "\(property.place).\(property.name)")
            }
        }
        let known = Set(try Self.all().map { $0.name })
        #expect(known.isSuperset(of: Self.meanings.keys))
    }

    @Test func `Every property says what it is`() throws {
        for property in try Self.all() where property.type != "object" {
            #expect(!property.description.isEmpty, "\(property.place).\(property.name)")
        }
    }

    /// Other words for a quantity of which the name is the one to the right.
    @Test(arguments: [
        ("sleep_ms", "sleep_millisecs"), ("sleep_milliseconds", "sleep_millisecs"), ("sleep_msec", "sleep_millisecs"),
        ("cpu_percent", "ksmd_cpu_percent"), ("cpu_seconds", "ksmd_cpu_seconds"),
        ("cpu_seconds_since_boot", "ksmd_cpu_seconds"), ("scanned_pages", "pages_scanned"),
        ("pause_seconds", "interval_seconds"), ("seconds", "duration_seconds"), ("zero_pages", "ksm_zero_pages"),
        ("passes", "full_scans"), ("timestamp", "time_seconds"), ("saving_bytes", "saved_bytes"),
    ])
    func `A quantity has no second name`(_ other: String, _ name: String) throws {
        let known = Set(try Self.all().map { $0.name })
        #expect(known.contains(name))
        #expect(!known.contains(other), "it is \(name)")
        #expect(TraceFile.Column(rawValue: other) == nil, "it is \(name)")
    }

    /// A number without a unit in its name is a count, or a file of the kernel.
    @Test func `The unit of a quantity is in its name`() throws {
        let units = [
            "_bytes", "_seconds", "_percent", "_millisecs", "_share", "_ratio", "_per_second", "ratio", "_version",
        ]
        let counts: Set = [
            "guests", "pid", "uid", "vcpus", "cpus", "count", "hidden_guests", "unreadable_guests", "unreadable",
            "samples", "gaps", "starts", "ok",
            "warnings", "failures", "skipped", "run", "advisor_mode", "merge_across_nodes", "max_page_sharing",
            "use_zero_pages", "smart_scan", "full_scans", "stable_node_chains", "stable_node_dups", "cpu_weight",
            "cpu_max", "decided_run", "ksmd_nice", "found_ksmd_nice", "items", "items_per_merged_page", "oom_kills",
            "processes", "machines",
        ]
        for property in try Self.all() where ["integer", "number"].contains(property.type) {
            let isCount = counts.contains(property.name) || property.name.contains("pages")
            #expect(
                isCount || units.contains { property.name.hasSuffix($0) }, "\(property.place).\(property.name)")
        }
    }

    /// Amounts are in KiB there, as in `/proc/meminfo`.
    @Test func `The columns of a trace have the names of JSON`() throws {
        let known = Set(try Self.properties("history").map { $0.name })
        for column in TraceFile.Column.allCases {
            let name = column.rawValue
            let inBytes = name.hasSuffix("_kib") ? name.dropLast(3) + "bytes" : name[...]
            #expect(known.contains(String(inBytes)), "\(name)")
        }
    }
}
