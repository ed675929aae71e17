#include <ocellus/ocellus.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) return 2;  // MODEL PICTURE QUESTION
  auto registry = ocellus::Registry::create();
  if (!registry) return std::cerr << registry.error().message << '\n', 1;
  auto model = registry->open(argv[1]);
  if (!model) return std::cerr << model.error().message << '\n', 1;
  auto answer = model->ask(ocellus::Picture::parse(argv[2]), argv[3]);
  if (!answer) return std::cerr << answer.error().message << '\n', 1;
  for (auto piece = answer->next();; piece = answer->next()) {
    if (!piece) return std::cerr << piece.error().message << '\n', 1;
    if (!*piece) return 0;
    std::cout << (*piece)->text << std::flush;
  }
}
