// The server's problems for people, by the last word of their type.

/** code -> [title, what to do, a word or two for a thumbnail] */
export const EN_PROBLEMS = {
  "unreadable-picture": ["The picture cannot be read", "The file is no picture, or it is damaged. Copy or download it again, or save it anew as JPEG or PNG.", "Unreadable"],
  "picture-too-large": ["The picture is too large", "This server takes smaller files, or fewer pixels. Make the picture smaller and add it again.", "Too large"],
  "missing-extra": ["This kind of picture is not read here", "Save it as JPEG or PNG and add it again.", "Wrong kind"],
  shape: ["The picture has an odd shape", "It is too narrow or too low. Crop it and add it again.", "Odd shape"],
  input: ["The picture cannot be used", "Try another one, or save it anew as JPEG or PNG.", "Not usable"],
  option: ["The server did not understand the page", "Reload the page, then try again.", "Reload"],
  field: ["The server did not understand the page", "Reload the page, then try again.", "Reload"],
  caller: ["The server did not understand the page", "Reload the page, then try again.", "Reload"],
  "unknown-model": ["The server no longer has this model", "Choose another one above, or reload the page.", "No model"],
  "time-ran-out": ["It took too long", "The server is slow now, or the picture is very large. Try again later, or make it smaller.", "Too slow"],
  overrun: ["It took too long", "The server is slow now, or the picture is very large. Try again later, or make it smaller.", "Too slow"],
  "too-busy": ["The server is busy", "Many people use it now. Try again in a minute.", "Busy"],
  "too-many-at-once": ["You have many pictures on their way", "Wait until some of them are done, then try again.", "Busy"],
  "rate-limit": ["Too many pictures in one minute", "Wait a minute, then try again.", "Busy"],
  "memory-exhausted": ["The server has too little memory now", "Try again later, or make the picture smaller.", "Too large"],
  "key-refused": ["An API key is needed", "This server answers only to those who have a key.", "No key"],
  "host-refused": ["The server does not answer here", "It takes no pictures from this address. Ask whoever runs the server.", "Not allowed"],
  "model-file": ["The server cannot open its model", "Your picture is fine. Tell whoever runs the server.", "Server fault"],
  "device-unavailable": ["The server cannot compute now", "Your picture is fine. Tell whoever runs the server.", "Server fault"],
  output: ["The server cannot store the result", "Your picture is fine. Tell whoever runs the server.", "Server fault"],
  "disk-full": ["The server has no room left", "Your picture is fine. Tell whoever runs the server.", "Server full"],
  environment: ["Something is wrong with the server", "Your picture is fine. Try again later, or tell whoever runs the server.", "Server fault"],
  internal: ["Something is wrong with the server", "Your picture is fine. Try again later, or tell whoever runs the server.", "Server fault"],
  "no-answer": ["The server does not answer", "It may be starting. Try again in a minute, or tell whoever runs it.", "No answer"],
};
