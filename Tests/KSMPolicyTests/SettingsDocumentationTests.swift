import Foundation
import KSMPolicy
import Testing

/// The manual and the sample file describe every setting, and no other, with the defaults and the ranges that count.
@Suite struct SettingsDocumentationTests {
    /// A file of the source tree.
    private func source(_ relative: String) throws -> String {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: tests.deletingLastPathComponent().appending(path: relative), encoding: .utf8)
    }

    private static let names = Set(Setting.allCases.map(\.name))

    /// The settings that are unset by default, for which the sample file shows a value all the same.
    private static let unset: Set<Setting> = [.logFile, .debug]

    // MARK: Manual page

    @Test func `Every setting has its entry with its default in ksmtuned.conf(5), and none else`() throws {
        let entries = try source("man/ksmtuned.conf.5").matches(of: /(?m)^\.It Cm ([A-Z_]+)\nDefault: (.*)$/)
        var defaults: [String: String] = [:]
        for entry in entries { defaults[String(entry.1)] = String(entry.2) }
        #expect(defaults.count == entries.count, "an entry is there twice")
        for setting in Setting.allCases {
            let text = Defaults.union[setting]
            #expect(defaults[setting.name] == (text.isEmpty ? "unset" : text), "\(setting.name)")
        }
        #expect(Set(defaults.keys) == Self.names)
    }

    @Test func `Every setting that ksmtuned.conf(5) or ksmtuned(8) names is one`() throws {
        for page in ["man/ksmtuned.conf.5", "man/ksmtuned.8"] {
            // The journal's fields have a mark-up of their own.
            let named = try source(page).matches(of: /\.Cm (KSM_[A-Z_]+)/).map { String($0.1) }
            #expect(!named.isEmpty)
            #expect(Self.names.isSuperset(of: named), "\(page)")
        }
    }

    @Test(arguments: [
        Setting.profile, .guestMetric, .freeMetric, .firstDecision, .onExit, .policy, .adaptiveStart, .allowUnmerge,
        .retuneOnGuests, .mergeAcrossNodes, .useZeroPages, .smartScan,
    ])
    func `Every word of a choice is on the setting's line of values in ksmtuned.conf(5)`(_ setting: Setting) throws {
        let words: [String] =
            switch setting {
            case .profile: Profile.allCases.map(\.word)
            case .guestMetric: GuestMetric.allCases.map(\.word) + ["rss"]
            case .freeMetric: FreeMetric.allCases.map(\.word)
            case .firstDecision: FirstDecision.allCases.map(\.word)
            case .onExit: ExitAction.allCases.map(\.word)
            case .policy: PolicyKind.allCases.map(\.word)
            case .adaptiveStart: AdaptiveStart.allCases.map(\.word)
            default: Switch.allCases.map(\.word)
            }
        let page = try source("man/ksmtuned.conf.5")
        let entry = try #require(page.split(separator: ".It Cm \(setting.name)\n").dropFirst().first)
        let values = try #require(entry.firstMatch(of: /(?m)^Value: (.*)$/)).1
        let described = values.replacing(" or ", with: ", ").split(separator: ", ").map(String.init)
        #expect(Set(described) == Set(words.filter { !$0.isEmpty }))
    }

    @Test func `Every setting is in the table of ksmtuned.conf(5) with its default, and none else`() throws {
        let rows = try source("man/ksmtuned.conf.5").matches(of: /(?m)^\.It Cm ([A-Z_]+) Ta Li (.+) Ta (.+)$/)
        var defaults: [String: String] = [:]
        for row in rows { defaults[String(row.1)] = String(row.2) }
        #expect(defaults.count == rows.count, "a row is there twice")
        for setting in Setting.allCases {
            let text = Defaults.union[setting]
            #expect(defaults[setting.name] == (text.isEmpty ? "unset" : text), "\(setting.name)")
        }
        #expect(Set(defaults.keys) == Self.names)
    }

    @Test func `Every entry of ksmtuned.conf(5) has a unit with a range, or its values`() throws {
        let entries = try source("man/ksmtuned.conf.5")
            .matches(of: /(?m)^\.It Cm ([A-Z_]+)\nDefault: .*\n\.br\n(?:Unit: .+; .+|Value: .+)$/)
        #expect(Set(entries.map { String($0.1) }) == Self.names)
    }

    /// The settings whose line of units ends in two bounds.
    private static let bounded: [Setting] = [
        .pagesMinimum, .pagesMaximum, .cpuMaximum, .hostCPUMaximum, .probeCPU, .idleStep, .burstStep, .yieldMinimum,
        .advisorScanTime, .advisorCPUMaximum, .advisorPagesMinimum, .advisorPagesMaximum, .maxPageSharing,
    ]

    @Test(arguments: bounded)
    func `The range in ksmtuned.conf(5) is the one that is accepted`(_ setting: Setting) throws {
        let page = try source("man/ksmtuned.conf.5")
        let entry = try #require(page.split(separator: ".It Cm \(setting.name)\nDefault: ").dropFirst().first)
        let range = try #require(entry.firstMatch(of: /(?m)^Unit: .+; ([0-9.]+) to ([0-9.]+)$/))
        // A minimum and a maximum of their own would refuse each other.
        let other =
            switch setting {
            case .advisorPagesMinimum: "KSM_ADVISOR_NPAGES_MAX=4294967295\n"
            case .advisorPagesMaximum: "KSM_ADVISOR_NPAGES_MIN=1\n"
            default: ""
            }
        func isAccepted(_ value: String) -> Bool {
            !Reading(other + "\(setting.name)=\(value)").messages.contains { $0.contains(": error: ") }
        }
        #expect(isAccepted(String(range.1)))
        #expect(isAccepted(String(range.2)))
        let least = try #require(Double(range.1))
        let most = try #require(Int64(range.2))
        #expect(!isAccepted(least < 1 && least > 0 ? "\(least / 2)" : "\(Int64(least) - 1)"))
        #expect(!isAccepted("\(most + 1)"))
    }

    @Test func `No other setting has two bounds in ksmtuned.conf(5)`() throws {
        let entries = try source("man/ksmtuned.conf.5")
            .matches(of: /(?m)^\.It Cm ([A-Z_]+)\nDefault: .*\n\.br\nUnit: .+; [0-9.]+ to [0-9.]+$/)
        #expect(Set(entries.map { String($0.1) }) == Set(Self.bounded.map(\.name)))
    }

    // MARK: Sample file

    @Test func `The sample file changes nothing and has nothing to complain about`() throws {
        let reading = Reading(try source("etc/ksmtuned.conf"))
        #expect(reading.configuration == Configuration())
        #expect(reading.messages == [])
    }

    @Test func `Every setting has one commented line in the sample file, and none else`() throws {
        let lines = try source("etc/ksmtuned.conf").matches(of: /(?m)^# ?([A-Z_]+)=/).map { String($0.1) }
        #expect(lines.sorted() == Self.names.sorted())
    }

    @Test func `The commented lines of the sample file are the defaults`() throws {
        let text = try source("etc/ksmtuned.conf")
        let assignments = text.split(separator: "\n").filter { $0.firstMatch(of: /^# [A-Z_]+=/) != nil }
            .map { $0.dropFirst(2) }
        let uncommented = assignments.filter { line in
            !Self.unset.contains { line.hasPrefix("\($0.name)=") }
        }
        #expect(uncommented.count == Setting.allCases.count - Self.unset.count)

        let reading = Reading(uncommented.joined(separator: "\n"))
        #expect(reading.configuration == Configuration())
        #expect(reading.messages == [])
        for line in uncommented {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let setting = try #require(Setting(rawValue: String(parts[0])))
            let text = Defaults.union[setting]
            // As a shell would, the file needs quotes around a blank.
            #expect(parts[1] == (text.contains(" ") ? "\"\(text)\"" : text), "\(line)")
        }
    }

    @Test func `Every line of the sample file can be uncommented`() throws {
        let text = try source("etc/ksmtuned.conf").replacing(/(?m)^# ([A-Z_]+=)/) { String($0.1) }
        let reading = Reading(text)
        #expect(reading.messages == [])
        #expect(reading.configuration.isDebugging)
        #expect(reading.configuration.logFile == "/var/log/ksmtuned")
    }

    @Test(arguments: [
        "# KSM_MONITOR_INTERVAL=60", "# KSM_SLEEP_MSEC=10", "# KSM_NPAGES_BOOST=300", "# KSM_NPAGES_DECAY=-50",
        "# KSM_NPAGES_MIN=64", "# KSM_NPAGES_MAX=1250", "# KSM_THRES_COEF=20", "# KSM_THRES_CONST=2048",
        "# LOGFILE=/var/log/ksmtuned", "# DEBUG=1",
    ])
    func `The original's commented lines stand as they were, for the scripts that edit them`(_ line: String) throws {
        #expect(try source("etc/ksmtuned.conf").split(separator: "\n").count { $0 == line } == 1)
    }

    @Test func `One line only names KSM_THRES_COEF beside a digit`() throws {
        let lines = try source("etc/ksmtuned.conf").split(separator: "\n")
        #expect(lines.filter { $0.firstMatch(of: /KSM_THRES_COEF.*[0-9]|[0-9].*KSM_THRES_COEF/) != nil }.count == 1)
    }

    @Test(arguments: ["LOGFILE", "DEBUG"])
    func `One line only names the settings that test scripts look for`(_ name: String) throws {
        #expect(try source("etc/ksmtuned.conf").split(separator: "\n").filter { $0.contains(name) }.count == 1)
    }
}
