export const idiom = true
