import ArgumentParser

struct GuestsCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "guests") }
struct DoctorCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "doctor") }
struct HistoryCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "history") }
struct PlotCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "plot") }
struct PlanCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "plan") }
struct SimulateCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "simulate") }
