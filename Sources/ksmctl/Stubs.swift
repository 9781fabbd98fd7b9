import ArgumentParser

struct StatusCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "status") }
struct ExplainCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "explain") }
struct GuestsCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "guests") }
struct DoctorCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "doctor") }
struct HistoryCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "history") }
struct PlotCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "plot") }
struct PlanCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "plan") }
struct SimulateCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "simulate") }
struct RetuneCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "retune") }
struct ReloadCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "reload") }
struct UnmergeCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "unmerge") }
struct CheckConfigCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "check-config") }
struct ShowConfigCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "show-config") }
